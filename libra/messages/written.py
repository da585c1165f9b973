"""The parts of an UPDATE message that both versions write in the same way."""

from datetime import timedelta

from libra.messages.codec import JsonObject
from libra.model.listener import Timeouts
from libra.model.pool import Member

_MILLISECOND = timedelta(milliseconds=1)


def build_options(timeouts: Timeouts, connect_retries: int | None) -> JsonObject:
    """Timeouts in milliseconds; what is left to the driver is left out."""
    given = {
        "client": timeouts.client,
        "server": timeouts.server,
        "connect": timeouts.connect,
        "tcp_inspect": timeouts.inspect,
    }
    milliseconds = {
        f"{name}_timeout": value // _MILLISECOND for name, value in given.items() if value
    }
    return without_none({**milliseconds, "connect_retries": connect_retries})


def build_node(member: Member) -> JsonObject:
    """One target of a pool."""
    node: JsonObject = {
        "id": member.id,
        "address": member.address,
        "port": member.port,
        "weight": member.weight,
        "condition": member.condition.value,
        "backup": member.backup,
    }
    if member.monitor_address is not None:
        node["monitor_address"] = member.monitor_address
    if member.monitor_port is not None:
        node["monitor_port"] = member.monitor_port
    return node


def without_none(fields: JsonObject) -> JsonObject:
    """What is None is left out."""
    return {name: value for name, value in fields.items() if value is not None}
