"""The columns that tables are made of."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    MetaData,
    String,
    Table,
    Text,
)

from libra.model.status import OperatingStatus, ProvisioningStatus
from libra.storage.columns import EnumText, Texts, UtcDateTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
ID = 64
NAME = 255


def key() -> Column[Any]:
    """The primary key of most."""
    return Column("id", String(ID), primary_key=True)


def text(name: str, size: int = NAME, *, nullable: bool = False) -> Column[Any]:
    """Of limited length."""
    return Column(name, String(size), nullable=nullable)


def long(name: str) -> Column[Any]:
    """Of any length."""
    return Column(name, Text, nullable=False)


def number(name: str, *, nullable: bool = False) -> Column[Any]:
    """64 bits."""
    return Column(name, BigInteger, nullable=nullable)


def flag(name: str) -> Column[Any]:
    """True or false."""
    return Column(name, Boolean, nullable=False)


def time(name: str, *, nullable: bool = False) -> Column[Any]:
    """In UTC."""
    return Column(name, UtcDateTime, nullable=nullable)


def word(name: str, kind: Any) -> Column[Any]:
    """One of an enum's words."""
    return Column(name, EnumText(kind), nullable=False)


def texts(name: str) -> Column[Any]:
    """A tuple of texts."""
    return Column(name, Texts, nullable=False)


def owner(table: str, column: str, *, nullable: bool = False) -> Column[Any]:
    """A part goes with the whole."""
    key = ForeignKey(f"{table}.id", ondelete="CASCADE")
    return Column(column, String(ID), key, nullable=nullable, index=True)


def resource(table: str, *columns: Any) -> Table:
    """What all of Octavia's have."""
    return Table(
        table,
        metadata,
        key(),
        text("project_id"),
        text("name"),
        flag("admin_state_up"),
        word("provisioning_status", ProvisioningStatus),
        word("operating_status", OperatingStatus),
        time("created_at"),
        time("updated_at", nullable=True),
        texts("tags"),
        flag("going"),
        *columns,
        Index(None, "created_at", "id"),
        Index(None, "project_id", "created_at", "id"),
        Index(None, "name"),
    )


def perhaps(name: str, kind: Any) -> Column[Any]:
    """Absent where it was not given."""
    return Column(name, kind, nullable=True)
