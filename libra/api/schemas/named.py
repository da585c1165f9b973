"""What nearly all request bodies of Octavia's API begin with."""

from libra.api.schemas.types import Body, Tags, Text


class Tagged(Body):
    """What everything has."""

    admin_state_up: bool | None = None
    tags: Tags | None = None


class Named(Tagged):
    """What everything but rules has."""

    name: Text | None = None


class Described(Named):
    """What load balancers, listeners, pools and policies have."""

    description: Text | None = None
