"""Request bodies of Octavia's API v2 about L7 policies and rules."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from libra.api.schemas.named import Described, Tagged
from libra.api.schemas.types import EMPTY_IS_NULL, Body, Id, Text, Whole
from libra.messages.version2.policies import MAX_RULES
from libra.model.policy import REDIRECT_CODES, Comparison, PolicyAction, RuleType
from libra.model.webservice import is_url
from libra.usecases.l7policies import LAST

_HTTP = ("http://", "https://")


def _url(value: str) -> str:
    if not value.startswith(_HTTP) or not is_url(value):
        raise ValueError("it must be a URL with http or https")
    return value


def _code(value: int) -> int:
    if value not in REDIRECT_CODES:
        raise ValueError(f"it must be one of {', '.join(map(str, REDIRECT_CODES))}")
    return value


Url = Annotated[str, StringConstraints(max_length=255), AfterValidator(_url)]
Code = Annotated[Whole, AfterValidator(_code)]


class RuleUpdate(Tagged):
    """Whatever of it changes."""

    type: RuleType | None = None
    compare_type: Comparison | None = None
    key: Annotated[Text | None, EMPTY_IS_NULL] = None
    value: Text | None = None
    invert: bool | None = None


class RuleBody(RuleUpdate):
    """One condition."""

    type: RuleType
    compare_type: Comparison
    value: Text
    project_id: Text | None = None
    tenant_id: Text | None = None


class PolicyUpdate(Described):
    """Its listener stays."""

    action: PolicyAction | None = None
    redirect_pool_id: Annotated[Id | None, EMPTY_IS_NULL] = None
    redirect_url: Annotated[Url | None, EMPTY_IS_NULL] = None
    redirect_prefix: Annotated[Url | None, EMPTY_IS_NULL] = None
    redirect_http_code: Code | None = None
    position: Annotated[Whole, Field(ge=1, le=LAST)] | None = None


class PolicyBody(PolicyUpdate):
    """For a listener that is there."""

    action: PolicyAction
    listener_id: Id
    rules: Annotated[list[RuleBody], Field(max_length=MAX_RULES)] | None = None
    project_id: Text | None = None
    tenant_id: Text | None = None


class PolicyCreate(Body):
    """The envelope."""

    l7policy: PolicyBody


class PolicyChange(Body):
    """The envelope."""

    l7policy: PolicyUpdate


class RuleCreate(Body):
    """The envelope."""

    rule: RuleBody


class RuleChange(Body):
    """The envelope."""

    rule: RuleUpdate
