"""A plan in words for people. Pure."""

import re
from typing import assert_never

from libra.drivers.base import Preview
from libra.drivers.haproxy.actions import (
    AddServer,
    DisableFrontend,
    EnableFrontend,
    RemoveServer,
    RuntimeAction,
    SetAddress,
    SetCertificate,
    SetMaint,
    SetMap,
    SetReady,
    SetWeight,
)
from libra.drivers.haproxy.effects import effective_weight, in_maintenance
from libra.drivers.haproxy.install import Installed
from libra.drivers.haproxy.reporter import STEM
from libra.drivers.haproxy.running import Plan
from libra.drivers.haproxy.serverlines import host
from libra.drivers.textdiff import render_diff

FOREIGN = "the file that is installed is not as libra wrote it; it is not shown, and would be kept as .adopted"
# Names of customers stand in these; whatever else is in the file may be the operator's own line, with a password.
_NAMES = re.compile(r"\s*(server|frontend|backend|default_backend|cookie)\s")
_SECRET = re.compile(r"(.*?(?:passw|auth|token|secret|credential|key)\S*)\s.*", re.IGNORECASE)


def build_preview(plan: Plan, installed: Installed, wanted: str) -> Preview:
    """What the plan means; `wanted` is the text that would be installed."""
    foreign = installed.text is not None and installed.description is None
    before = "" if foreign else installed.text or ""
    return Preview(
        step=plan.step,
        reasons=plan.reasons,
        actions=tuple(map(describe, plan.actions)),
        diff=_without_secrets(render_diff(before, wanted)),
        notes=(FOREIGN,) if foreign else (),
    )


def describe(action: RuntimeAction) -> str:
    """One step as a person would say it."""
    match action:
        case SetWeight(backend, server, weight):
            so = ", so that it drains" if weight == 0 else ""
            so = so or (", once its check has passed" if action.recheck else "")
            return f"set weight of {backend}/{server} to {weight}{so}"
        case SetAddress(backend, server, address, port):
            return f"move {backend}/{server} to {host(address)}:{port}"
        case SetReady(backend, server):
            return f"take {backend}/{server} out of maintenance"
        case SetMaint(backend, server):
            return f"put {backend}/{server} into maintenance"
        case AddServer():
            return _describe_addition(action)
        case RemoveServer(backend, server):
            return f"remove {backend}/{server} once its connections have ended"
        case EnableFrontend(frontend):
            return f"listen again on {frontend}"
        case SetCertificate() | SetMap():
            return _describe_renewal(action)
        case DisableFrontend(frontend):
            return f"refuse new connections on {frontend}"
    assert_never(action)


def _describe_renewal(action: SetCertificate | SetMap) -> str:
    material = action.material
    if isinstance(action, SetCertificate):
        return f"renew the certificate {material.stem}"
    if material.stem == STEM:
        return f"report the status of {len(action.changes) or len(material.entries)} names"
    return f"let {len(material.entries)} networks in by {material.stem}"


def _describe_addition(action: AddServer) -> str:
    server = action.server
    name, place = f"{action.backend}/{server.name}", f"{host(server.address)}:{server.port}"
    parts = [f"add {name} at {place} with weight {effective_weight(server)}"]
    if server.backup:
        parts.append("as backup")
    if in_maintenance(server):
        parts.append("in maintenance")
    return ", ".join(parts)


def _without_secrets(diff: str) -> str:
    return "\n".join(map(_masked, diff.splitlines()))


def _masked(line: str) -> str:
    return line if _NAMES.match(line, 1) else _SECRET.sub(r"\1 ***", line)
