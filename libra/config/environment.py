"""Settings in the environment: LIBRA_WORKER__NAME, LIBRA_LOGGING__LEVEL, LIBRA_JOB_SERVERS.

A name is LIBRA_ and the setting's path, in upper case, joined by two underscores. A list or a whole section is
given as YAML or JSON text. An empty variable counts as not set.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field

from libra.config.document import parse_document
from libra.config.settings import Settings
from libra.config.words import is_list, section_of, walk

PREFIX = "LIBRA_"


@dataclass(frozen=True, slots=True)
class Overlay:
    """What the environment sets: a tree like the file's, which variable set what, and the faults."""

    tree: dict[str, object] = field(default_factory=dict)
    origins: dict[tuple[str, ...], str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def variable_name(path: tuple[str, ...]) -> str:
    """The environment variable of a setting."""
    return PREFIX + "__".join(path).upper()


def read_environment(environ: Mapping[str, str]) -> Overlay:
    """The settings in `environ`; others' variables are left alone."""
    known = {variable_name(path): (path, info) for path, info in walk(Settings)}
    overlay = Overlay()
    # A section's own variable comes before those of its keys: the shorter name sorts first.
    for variable in sorted(name for name in environ if name.startswith(PREFIX)):
        if not environ[variable]:
            continue
        if variable not in known:
            overlay.faults.extend(_unknown(variable, list(known)))
            continue
        path, info = known[variable]
        as_yaml = is_list(info) or section_of(info.annotation) is not None
        _set(overlay, variable, path, environ[variable], as_yaml=as_yaml)
    return overlay


def _set(
    overlay: Overlay, variable: str, path: tuple[str, ...], text: str, *, as_yaml: bool
) -> None:
    value: object = text
    if as_yaml:
        document = parse_document(text)
        overlay.faults.extend(f"{variable}: {fault}" for fault in document.faults)
        value = document.value
    node = overlay.tree
    for name in path[:-1]:
        below = node.setdefault(name, {})
        if not isinstance(below, dict):
            return  # the section's own variable is no mapping, which is a fault of its own
        node = below
    node[path[-1]] = value
    overlay.origins[path] = variable


def _unknown(variable: str, known: list[str]) -> list[str]:
    """A misspelt setting is a fault; a name like none of ours (LIBRA_PORT of a container platform) is not ours."""
    close = difflib.get_close_matches(variable, known, n=1, cutoff=0.84)
    if close:
        return [f"{variable}: no such setting; did you mean {close[0]}?"]
    return [f"{variable}: no such setting"] if "__" in variable else []
