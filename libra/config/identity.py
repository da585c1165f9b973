"""The settings of who may call the API, beside the tokens in the database."""

from pydantic import Field, model_validator

from libra.config.section import Section
from libra.config.types import (
    AbsolutePath,
    AnyCase,
    AnyName,
    FunctionName,
    Seconds,
    ServiceUrl,
    Whole,
)
from libra.model.access import Role

Names = tuple[FunctionName, ...]


class KeystoneSettings(Section):
    """A Keystone that knows the API's callers: tokens that are none of libra's are checked there (extra `keystone`).

    A caller's role is the highest that one of the lists below gives to a role of its token.
    """

    auth_url: ServiceUrl | None = Field(default=None, examples=["https://keystone.example:5000/v3"])
    """Where it is. Default: there is none."""
    username: AnyName = "libra"
    """The user by which libra asks it."""
    password_file: AbsolutePath | None = Field(
        default=None, examples=["/etc/libra/keystone-password"]
    )
    """A file with that user's password, and nothing else."""
    project_name: AnyName = "service"
    """The project of that user."""
    domain: AnyName = "Default"
    """The name of the domain that user and project are of."""
    ca_file: AbsolutePath | None = Field(default=None, examples=["/etc/libra/tls/keystone-ca.pem"])
    """PEM file of the authorities to trust. Default: those that Python's requests trusts."""
    interface: FunctionName = "internal"
    """Which endpoint of it is asked, of those in its catalog: internal, public or admin."""
    timeout_seconds: Seconds = Field(default=10.0, gt=0, le=300)
    """How long it may take to answer."""
    cache_seconds: Whole = Field(default=30, ge=0, le=3600)
    """How long an answer is believed, and so a token that was revoked meanwhile."""
    admin_roles: Names = ("admin",)
    """Roles whose callers may do everything."""
    operator_roles: Names = ("load-balancer_admin",)
    """Roles whose callers may do everything but handle libra's own tokens."""
    member_roles: Names = ("load-balancer_member", "member")
    """Roles whose callers read and write what their project owns."""
    observer_roles: Names = ("load-balancer_global_observer",)
    """Roles whose callers read what every project owns."""
    reader_roles: Names = ("load-balancer_observer", "reader")
    """Roles whose callers read what their project owns."""

    @model_validator(mode="after")
    def _with_password(self) -> "KeystoneSettings":
        if self.auth_url is not None and self.password_file is None:
            raise ValueError("auth_url needs password_file: how libra proves to Keystone who it is")
        return self


class IdentitySettings(Section):
    """Who may call the API, beside who has a token of the database."""

    issued_token_seconds: Whole = Field(default=3600, ge=60, le=86400)
    """How long a token is good that /identity/v3 hands out for a token's name and secret."""
    anonymous_role: AnyCase[Role] | None = Field(default=None, examples=["member"])
    """What callers without a token may do (auth_type none). Default: nothing. Only where the API listens on the
    loopback address, and only for clients that come from there and through no proxy: every user of this host is one."""
    anonymous_project: AnyName = "default"
    """The project of such callers."""
    keystone: KeystoneSettings = KeystoneSettings()
