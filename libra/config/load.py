"""Loads the settings: defaults, then the file, then the environment; every fault at once."""

import errno
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel, ValidationError

from libra.config.document import Document, parse_document
from libra.config.environment import Overlay, read_environment
from libra.config.faults import describe_all
from libra.config.settings import Settings
from libra.config.words import section_of
from libra.errors import Invalid

MAX_BYTES = 1024 * 1024
MAX_FAULTS = 50


Inspect = Callable[[Mapping[str, object]], Iterable[tuple[tuple[str, ...], str]]]
"""From the unchecked tree of settings to faults: the path of a setting, and what is wrong with it."""


def load_settings(
    path: Path | None, environ: Mapping[str, str], inspect: Inspect = lambda _tree: ()
) -> Settings:
    """The settings of a YAML file (None: without one) and of the variables LIBRA_SECTION__KEY, which win.

    Raises `Invalid` whose text holds one line a fault: "FILE: worker.drain_seconds: must be ..., got ..." or
    "LIBRA_WORKER__DRAIN_SECONDS: must be ..., got ...". `inspect` may find further ones.
    """
    source = "defaults" if path is None else str(path)
    document = Document(None) if path is None else _read_document(path)
    overlay = read_environment(environ)
    faults = [f"{source}: {fault}" for fault in document.faults] + overlay.faults
    tree = document.value
    if tree is not None and not isinstance(tree, dict):
        faults.append(f"{source}: must hold sections like `worker:` with keys below them")
        tree = None
    merged = _merge(_without_empty(tree or {}, Settings), overlay.tree)
    settings = _validate(merged, source, overlay, faults)
    for setting, fault in inspect(merged):
        place = overlay.origins.get(setting) or f"{source}: {'.'.join(setting)}"
        faults.append(f"{place}: {fault}")
    if settings is None or faults:
        raise Invalid("\n".join(_cut(faults)))
    return settings


def _read_document(path: Path) -> Document:
    try:
        data = _read_bytes(path)
        if len(data) > MAX_BYTES:
            return _unreadable(f"larger than {MAX_BYTES} bytes")
        return parse_document(data.decode("utf-8-sig"))
    except FileNotFoundError:
        return _unreadable("there is no such file")
    except OSError as error:
        return _unreadable(error.strerror or str(error))
    except UnicodeDecodeError as error:
        return _unreadable(f"not UTF-8 at byte {error.start}")


def _unreadable(reason: str) -> Document:
    return Document(None, (f"cannot be read: {reason}",))


def _read_bytes(path: Path) -> bytes:
    """At most one byte more than is taken. O_NONBLOCK, for a pipe nobody writes to would hang the open."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        # Of a directory it makes no file, and then would not close it either.
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, "not a regular file")
            return file.read(MAX_BYTES + 1)
    finally:
        os.close(descriptor)


def _without_empty(tree: dict[str, object], model: type[BaseModel]) -> dict[str, object]:
    """A section (or the list of job servers) whose keys are all commented out is a null: as if it were not there."""
    kept: dict[str, object] = {}
    for name, value in tree.items():
        field = model.model_fields.get(name)
        section = section_of(field.annotation) if field else None
        if section is None:
            kept[name] = value
        elif isinstance(value, dict):
            kept[name] = _without_empty(value, section)
        elif value is not None:
            kept[name] = value
    return kept


def _merge(base: dict[str, object], above: dict[str, object]) -> dict[str, object]:
    merged = dict(base)
    for name, value in above.items():
        below = merged.get(name)
        merged[name] = (
            _merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
        )
    return merged


def _validate(
    tree: dict[str, object], source: str, overlay: Overlay, faults: list[str]
) -> Settings | None:
    try:
        # The host's name is checked as worker.name is, so the section must be there to be named in the fault.
        return Settings.model_validate({"worker": {}, **tree})
    except ValidationError as error:
        faults.extend(describe_all(error.errors(include_url=False), source, overlay.origins))
        return None


def _cut(faults: list[str]) -> list[str]:
    more = len(faults) - MAX_FAULTS
    return [*faults[:MAX_FAULTS], f"... and {more} faults more"] if more > 0 else faults
