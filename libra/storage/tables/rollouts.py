"""Rollouts and their nodes."""

from sqlalchemy import Index, Table, UniqueConstraint

from libra.model.rollout import Phase, RolloutState, Wish
from libra.storage.tables.words import flag, key, long, metadata, number, owner, text, time, word

rollouts = Table(
    "rollouts",
    metadata,
    key(),
    text("group"),
    word("state", RolloutState),
    long("reason"),
    text("author"),
    long("options"),
    text("holder"),
    number("lease"),
    time("lease_until"),
    word("wish", Wish),
    time("created_at"),
    time("updated_at"),
    time("ended_at", nullable=True),
    Index(None, "created_at", "id"),
    Index(None, "group", "created_at", "id"),
)

rollout_steps = Table(
    "rollout_steps",
    metadata,
    key(),
    owner("rollouts", "rollout_id"),
    number("position"),
    text("node"),
    word("phase", Phase),
    long("reason"),
    flag("taken"),
    time("since"),
    UniqueConstraint("rollout_id", "node"),
)
