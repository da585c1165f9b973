"""A project's account at an object store, and what opens it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum


class AuthVersion(Enum):
    """How the store's identity service is asked."""

    V1 = "1"  # Swift's own: tempauth and its like
    V3 = "3"  # Keystone


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """`user` is ACCOUNT:USER, for Keystone PROJECT:USER, both in `domain`. `region` is which endpoint, "" the first.

    The key stays out of every repr.
    """

    auth_url: str
    auth_version: AuthVersion
    user: str
    key: str = field(repr=False)
    domain: str = "Default"
    region: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectStoreAccount:
    """One a project. `endpoint` is the storage URL as the store told it; `expires_at` is None where it told no time.

    Key and token are encrypted.
    """

    id: str
    project_id: str
    store: str
    auth_url: str
    auth_version: AuthVersion
    user: str
    domain: str
    region: str
    sealed_key: str = field(repr=False)
    endpoint: str
    sealed_token: str = field(repr=False)
    refreshed_at: datetime
    expires_at: datetime | None = None
    created_at: datetime
    updated_at: datetime | None = None
