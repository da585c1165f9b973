"""Request bodies of our own API."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from libra.api.schemas.types import Body, Text, Whole
from libra.config.types import is_function_name, parse_host
from libra.model.access import Role
from libra.usecases.admin.pools import MOST_DEVICES

LONGEST_WAIT_SECONDS = 30.0
POOL_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"


def _function(value: str) -> str:
    if not is_function_name(value):
        raise ValueError("it must be up to 128 letters, digits and . _ -")
    return value


def _host(value: str) -> str:
    try:
        return parse_host(value) if value else ""
    except ValueError:
        raise ValueError("it must be an address or a host name") from None


def _utc(value: datetime) -> datetime:
    """As it is stored."""
    try:
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError("it must be a time that UTC has, too") from None


Printable = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]+$", max_length=16384)]

StoreKind = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]


class DeviceBody(Body):
    """A host with a worker."""

    name: Annotated[str, AfterValidator(_function)]
    address: Annotated[str, StringConstraints(max_length=253), AfterValidator(_host)] = ""
    pool: Annotated[Text, Field(min_length=1, description="name or id of its device pool")] = (
        "default"
    )


class DevicePoolChange(Body):
    """Only what is given changes."""

    name: Annotated[str, StringConstraints(pattern=POOL_NAME)] = "default"
    provider: Annotated[
        str,
        StringConstraints(pattern=r"^([a-z0-9][a-z0-9_.-]{0,63})?$"),
        Field(description="who boots its devices: static, local; empty for nobody"),
    ] = ""
    auto_enroll: bool = False
    shared: bool = False
    min_spare: Annotated[int, Field(ge=0, le=10_000)] = 0
    probe_seconds: Annotated[float | None, Field(ge=0.1, le=3600)] = None
    max_parallel_failovers: Annotated[int, Field(ge=0, le=10_000)] = 4
    brake_percent: Annotated[int, Field(ge=0, le=100)] = 30
    max_devices: Annotated[
        Whole | None,
        Field(
            ge=0,
            le=MOST_DEVICES,
            description="how many devices it may have; what is more is drained",
        ),
    ] = None
    priority: Annotated[
        Whole,
        Field(
            ge=-1000, le=1000, description="load balancers go to pools with the lowest one first"
        ),
    ] = 0
    disabled: Annotated[bool, Field(description="whether nothing new is placed there")] = False
    disabled_reason: Annotated[Text, Field(max_length=255)] | None = None


class DevicePoolBody(DevicePoolChange):
    """Where devices belong."""

    name: Annotated[str, StringConstraints(pattern=POOL_NAME)]


class TokenBody(Body):
    """A member needs a project."""

    name: Annotated[Text, Field(min_length=1)]
    role: Role
    project_id: Text | None = None
    expires_at: Annotated[datetime, AfterValidator(_utc)] | None = None


class LogsBody(Body):
    """Where the log goes: without endpoint and token into the project's object-store account."""

    object_store_type: StoreKind | None = None
    object_store_endpoint: Annotated[Printable, StringConstraints(max_length=2048)] | None = None
    object_store_basepath: Annotated[Text, Field(min_length=1)]
    auth_token: Printable | None = None


class EventsFollowed(BaseModel):
    """What events are narrowed by; another name is refused, for it would show too much."""

    model_config = ConfigDict(extra="forbid")

    since: Annotated[int, Field(ge=0, le=2**62, description="the last id that is known")] = 0
    kind: Annotated[Text, Field(max_length=64, description="how it begins")] = ""
    subject_id: Text | None = None
    project_id: Text | None = None
    actor: Annotated[Text | None, Field(description="who did it")] = None
    request_id: Text | None = None

    def where(self) -> dict[str, object]:
        """What the columns must be."""
        columns = {"subject_id", "project_id", "actor", "request_id"}
        return self.model_dump(include=columns, exclude_none=True)


class EventsAsked(EventsFollowed):
    """The same for a list."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    wait: Annotated[float, Field(ge=0, le=LONGEST_WAIT_SECONDS)] = 0
