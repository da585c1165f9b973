"""Who may do what: roles, tokens, and the caller of a request."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class Role(Enum):
    """What a token may do. A member and a reader are bound to their project, where they have one."""

    ADMIN = "admin"  # everything, tokens included
    OPERATOR = "operator"  # everything but tokens
    MEMBER = "member"  # reads and writes what its project owns, but orders no failover
    DEPLOYER = "deployer"  # takes nodes out of service and brings them back, and nothing else
    READER = "reader"  # reads what its project owns; everything where it has no project


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """`digest` is the SHA-256 of the secret, in hexadecimal; the secret itself is shown once and never stored."""

    id: str
    name: str
    digest: str
    role: Role
    project_id: str | None = None
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    """What is good for a while in place of a token's own secret, for one project where it was asked for one.

    `digest` is the SHA-256 of what was handed out, in hexadecimal. It ends with its token, at the latest.
    """

    digest: str
    token_id: str
    project_id: str | None = None
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks: `name` for events, `request_id` for events and logs. `oid` is its token's id, "" where it has none.

    `remote` is the address that it asks from, `comment` what it says why: both for events, "" where there is none.
    """

    name: str
    role: Role
    project_id: str | None = None
    request_id: str = ""
    oid: str = ""
    remote: str = ""
    comment: str = ""

    @property
    def sees_everything(self) -> bool:
        """True where no project bounds it."""
        if self.role is Role.DEPLOYER:
            return False
        return self.role in (Role.ADMIN, Role.OPERATOR) or self.project_id is None

    @property
    def may_write(self) -> bool:
        """True for everybody but readers and deployers."""
        return self.role not in (Role.READER, Role.DEPLOYER)
