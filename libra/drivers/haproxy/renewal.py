"""Certificates and maps of the process that serves: what it has, and how it gets another content without a reload.

Source: HAProxy management guide, "set ssl cert", "commit ssl cert", "show ssl cert", "prepare map", "commit map".
"""

import base64
import hashlib
import re
from collections.abc import Iterable

from libra.drivers.haproxy.actions import SetCertificate, SetMap
from libra.drivers.haproxy.config import Configuration, Material
from libra.drivers.haproxy.effects import Running, apply
from libra.drivers.haproxy.runtime import AdminSocket, build_command, raise_refused
from libra.errors import DriverError, RuntimeRefused

_FINGERPRINT = re.compile(r"^SHA1 FingerPrint: ([0-9A-F]{40})$", re.MULTILINE)
_VERSION = re.compile(r"New version created: ([0-9]+)")
_MAP = re.compile(r"^-?[0-9]+ \((.+?)\) ", re.MULTILINE)
_OPEN = re.compile(r"^\*(\S+)$", re.MULTILINE)
_FILE = re.compile(r".*/(.+)\.[0-9a-f]{16}\.[a-z]+")
_LEAF = re.compile(r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")

LoadedNames = dict[str, list[str]]
"""Names by the stem of their file."""


def renew(admin: AdminSocket, action: SetCertificate | SetMap) -> None:
    """Raises `RuntimeRefused` where the process does not have it or does not take it, `ProxyNotRunning`."""
    material = action.material
    if isinstance(action, SetCertificate):
        _end_transaction(admin)
    names = _own(_ask_names(admin, type(action)), material)
    if not names:
        raise RuntimeRefused(f"cannot renew {material.stem}: HAProxy does not have it")
    for name in names:
        if isinstance(action, SetCertificate):
            _renew_certificate(admin, name, material)
        else:
            _renew_map(admin, name, action)


def _end_transaction(admin: AdminSocket) -> None:
    """HAProxy has one for all certificates, and a worker that was killed may have left it open."""
    for name in _OPEN.findall(admin.ask("show ssl cert")):
        admin.ask_all([build_command("abort", "ssl", "cert", name)])


def overlay_materials(admin: AdminSocket, running: Running) -> Running:
    """What runs, with what the process really has; an unknown content is an empty one, which differs from any."""
    configuration = running.configuration
    renewable = list(_renewable(configuration))
    loaded = {kind: _ask_names(admin, kind) for kind in {type(item) for item in renewable}}
    wrong = [item for item in renewable if not _has(admin, item, loaded[type(item)])]
    return apply(running, (_blank(item) for item in wrong), configuration)


def _renewable(configuration: Configuration) -> Iterable[SetCertificate | SetMap]:
    for frontend in configuration.frontends:
        yield from map(SetMap, frontend.maps)
        if frontend.tls is not None:
            yield from map(SetCertificate, frontend.tls.certificates)


def _blank(action: SetCertificate | SetMap) -> SetCertificate | SetMap:
    return type(action)(action.material.blank)


def _has(admin: AdminSocket, action: SetCertificate | SetMap, loaded: LoadedNames) -> bool:
    names = _own(loaded, action.material)
    check = _has_certificate if isinstance(action, SetCertificate) else _has_map
    try:
        return bool(names) and all(check(admin, name, action.material) for name in names)
    except RuntimeRefused:
        return False


def _has_certificate(admin: AdminSocket, name: str, material: Material) -> bool:
    match = _FINGERPRINT.search(admin.ask(build_command("show", "ssl", "cert", name)))
    return match is not None and match[1] == fingerprint(material.content)


def _has_map(admin: AdminSocket, name: str, material: Material) -> bool:
    lines = admin.ask(build_command("show", "map", name)).splitlines()
    pairs = [tuple(line.split()[1:3]) for line in lines if len(line.split()) > 2]
    return sorted(pairs) == sorted(material.entries)


def fingerprint(chain: str) -> str | None:
    """SHA-1 of the first certificate, as HAProxy shows it; None where there is none."""
    match = _LEAF.search(chain)
    if match is None:
        return None
    data = base64.b64decode("".join(match[1].split()))
    return hashlib.sha1(data, usedforsecurity=False).hexdigest().upper()


def _ask_names(admin: AdminSocket, kind: type[SetCertificate | SetMap]) -> LoadedNames:
    """What the process knows its files by: the names that it was started from, by their stem."""
    if kind is SetCertificate:
        lines = admin.ask("show ssl cert").splitlines()
        names = [line.strip().lstrip("*") for line in lines if not line.startswith("#")]
    else:
        names = _MAP.findall(admin.ask("show map"))
    found: LoadedNames = {}
    for name in dict.fromkeys(names):
        match = _FILE.fullmatch(name)
        if match is not None:
            found.setdefault(match[1], []).append(name)
    return found


def _own(loaded: LoadedNames, material: Material) -> list[str]:
    return loaded.get(material.stem, [])


def _renew_certificate(admin: AdminSocket, name: str, material: Material) -> None:
    """Two steps: a content that is refused changes nothing."""
    try:
        said = admin.give(build_command("set", "ssl", "cert", name), material.content)
        if "ransaction" not in said:
            raise RuntimeRefused(f"cannot renew {material.stem}: HAProxy refuses it")
        said = admin.ask(build_command("commit", "ssl", "cert", name))
        if "Success" not in said:
            raise RuntimeRefused(f"cannot renew {material.stem}: HAProxy does not commit it")
    except DriverError:
        admin.ask_all([build_command("abort", "ssl", "cert", name)])
        raise


def _renew_map(admin: AdminSocket, name: str, action: SetMap) -> None:
    """Filled beside, then swapped: at no moment is it half full. Single values are set as they are."""
    material = action.material
    if action.changes:
        admin.order([build_command("set", "map", name, *change) for change in action.changes])
        return
    match = _VERSION.search(admin.ask(build_command("prepare", "map", name)))
    if match is None:
        raise RuntimeRefused(f"cannot renew {material.stem}: HAProxy prepares no new version")
    version = f"@{match[1]}"
    additions = [
        build_command("add", "map", version, name, key, value) for key, value in material.entries
    ]
    answers = admin.ask_all([*additions, build_command("commit", "map", version, name)])
    for answer in answers:
        raise_refused(answer)
        if answer.text.strip():
            raise RuntimeRefused(f"cannot renew {material.stem}: HAProxy does not take it")
