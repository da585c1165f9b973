"""Request bodies of rollouts."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from libra.api.schemas.types import Body, Text
from libra.errors import Invalid
from libra.messages.fields import has_control_characters
from libra.model.rollout import DrainPolicy, FailurePolicy, Phase, RolloutState, count_minimum

MOST_NODES = 10_000
MOST_WORDS, MOST_CHARACTERS = 1000, 65_536
_PLACES = re.compile(r"\{(node|address|port|group)\}")
_BRACED = re.compile(r"\{[^}]*\}?|\}")
Seconds = Annotated[float, Field(ge=0, le=86_400)]


def _minimum(value: str) -> str:
    try:
        count_minimum(value, 1)
    except Invalid as error:
        raise ValueError(str(error)) from None
    return value


def _line(value: str) -> str:
    if has_control_characters(value):
        raise ValueError("it holds control characters")
    return value


def _places(value: str) -> str:
    """A URL has no braces of its own: those that are left over are a word that stands for nothing."""
    if left := _BRACED.search(_PLACES.sub("", value)):
        raise ValueError(
            f"{left[0]!a} stands for nothing: {{node}}, {{address}}, {{port}} and {{group}} do"
        )
    return value


def _words(value: tuple[str, ...]) -> tuple[str, ...]:
    if any("\0" in word for word in value):
        raise ValueError("no program takes a zero byte")
    if sum(map(len, value)) > MOST_CHARACTERS:
        raise ValueError(f"at most {MOST_CHARACTERS} characters")
    return value


Url = Annotated[
    str,
    StringConstraints(max_length=2000, pattern=r"^https?://"),
    AfterValidator(_line),
    AfterValidator(_places),
    Field(description="{node}, {address}, {port} and {group} stand for the node's"),
]
Reason = Annotated[str, StringConstraints(max_length=2000), AfterValidator(_line)]
Words = Annotated[
    tuple[Annotated[str, StringConstraints(max_length=MOST_CHARACTERS)], ...],
    Field(max_length=MOST_WORDS),
    AfterValidator(_words),
]


class RolloutOptions(Body):
    """How nodes are changed. Kept for who resumes it."""

    command: Words = ()
    shell: bool = False
    batch: Annotated[int, Field(ge=1, le=1000)] = 1
    min_online: Annotated[str, StringConstraints(max_length=16), AfterValidator(_minimum)] = "50%"
    drain_timeout: Seconds = 60.0
    on_drain_timeout: DrainPolicy = DrainPolicy.STOP
    on_failure: FailurePolicy = FailurePolicy.LEAVE
    health: Url | None = None
    warm_up: Annotated[tuple[Url, ...], Field(max_length=100)] = ()
    command_timeout: Seconds = 600.0
    health_timeout: Seconds = 60.0
    warm_up_timeout: Seconds = 60.0
    online_timeout: Seconds = 60.0
    capacity_timeout: Seconds = 300.0


class RolloutBody(Body):
    """One that begins."""

    group: Annotated[Text, Field(min_length=1)]
    nodes: Annotated[
        tuple[Text, ...],
        Field(max_length=MOST_NODES, description="in this order; none means all of the group"),
    ] = ()
    holder: Annotated[Text, Field(min_length=1, description="who leads it, in words")]
    options: RolloutOptions = RolloutOptions()


class RolloutResume(Body):
    """One that goes on."""

    holder: Annotated[Text, Field(min_length=1)]
    options: RolloutOptions | None = None


class LeaseBody(Body):
    """From who leads it."""

    lease: Annotated[int, Field(ge=1, le=2**62)]


class StepBody(LeaseBody):
    """A node enters a phase."""

    node: Annotated[Text, Field(min_length=1)]
    phase: Phase
    reason: Reason = ""


class EndBody(LeaseBody):
    """It ends, or stops."""

    state: RolloutState
    reason: Reason = ""

    @model_validator(mode="after")
    def _is_an_end(self) -> "EndBody":
        if self.state is RolloutState.RUNNING:
            raise ValueError("running is no end")
        return self


class AbortBody(Body):
    """What becomes of nodes that it has left offline; absent: what the rollout's own policy says."""

    restore: bool | None = None
