"""Policies of a listener: what is done with requests that fit all of a policy's rules."""

from dataclasses import dataclass
from enum import Enum

from libra.model.pool import Pool


class PolicyAction(Enum):
    """What a policy does."""

    REJECT = "REJECT"
    REDIRECT_TO_POOL = "REDIRECT_TO_POOL"
    REDIRECT_TO_URL = "REDIRECT_TO_URL"
    REDIRECT_PREFIX = "REDIRECT_PREFIX"  # to a URL that the request's own path is put behind

    @property
    def is_elsewhere(self) -> bool:
        """True where clients are sent to another URL."""
        return self in (PolicyAction.REDIRECT_TO_URL, PolicyAction.REDIRECT_PREFIX)


class RuleType(Enum):
    """What of a request, or of its connection, a rule looks at."""

    HOST_NAME = "HOST_NAME"
    PATH = "PATH"
    FILE_TYPE = "FILE_TYPE"  # what stands behind the last dot of the path's last segment
    HEADER = "HEADER"
    COOKIE = "COOKIE"
    SSL_CONN_HAS_CERT = "SSL_CONN_HAS_CERT"
    SSL_VERIFY_RESULT = "SSL_VERIFY_RESULT"  # OpenSSL's number, 0 for a good certificate
    SSL_DN_FIELD = "SSL_DN_FIELD"  # of the subject

    @property
    def has_key(self) -> bool:
        """True where a name says which one of several is looked at."""
        return self in (RuleType.HEADER, RuleType.COOKIE, RuleType.SSL_DN_FIELD)


class Comparison(Enum):
    """How that is compared with the rule's value."""

    REGEX = "REGEX"
    STARTS_WITH = "STARTS_WITH"
    ENDS_WITH = "ENDS_WITH"
    CONTAINS = "CONTAINS"
    EQUAL_TO = "EQUAL_TO"


COMPARISONS = {
    RuleType.FILE_TYPE: (Comparison.EQUAL_TO, Comparison.REGEX),
    RuleType.SSL_CONN_HAS_CERT: (Comparison.EQUAL_TO,),
    RuleType.SSL_VERIFY_RESULT: (Comparison.EQUAL_TO,),
}
"""Of the types that know only some."""
REDIRECT_CODES = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`key` where the type has one; `invert` makes it fit where it would not."""

    type: RuleType
    comparison: Comparison
    value: str
    key: str | None = None
    invert: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Fits a request that all of its rules fit; one without rules fits none.

    `pool` is for REDIRECT_TO_POOL; `url`, with http or https, and `code` for those to elsewhere.
    """

    id: str
    action: PolicyAction
    rules: tuple[Rule, ...] = ()
    pool: Pool | None = None
    url: str | None = None
    code: int | None = None
