"""Settings as they may be shown: without passwords, keys and tokens. Pure."""

import json
import re
from collections.abc import Mapping
from enum import Enum
from pathlib import Path

from libra.config.section import Section

HIDDEN = "***"
_SECRET = re.compile(r"passw|secret|token|credential|private|auth|(^|_)keys?$", re.IGNORECASE)
_USER = re.compile(r"(?<=://)([^/?#@:]*):[^/?#]*(?=@)")  # greedy: a password may hold an @
_OPTION = re.compile(r"([?&;][^=&;]*(?:passw|secret|token|key)[^=&;]*=)[^&;]*", re.IGNORECASE)
Shown = Mapping[str, Mapping[str, object]]
"""By section and key; plain values, texts and lists of texts."""


def show_settings(settings: Section) -> Shown:
    """One section after the other, those inside another by both names: vip.vrrp, job_servers.1."""
    found: dict[str, dict[str, object]] = {}
    _take(settings, "", found)
    return {name: values for name, values in found.items() if values}


def _take(section: Section, name: str, found: dict[str, dict[str, object]]) -> None:
    mine = found.setdefault(name, {})
    for key in type(section).model_fields:
        value = getattr(section, key)
        inner = f"{name}.{key}" if name else key
        if isinstance(value, Section):
            _take(value, inner, found)
        elif isinstance(value, tuple) and any(isinstance(item, Section) for item in value):
            for number, item in enumerate(value, 1):
                _take(item, f"{inner}.{number}", found)
        else:
            mine[key] = show_value(key, value)


def show_value(key: str, value: object) -> object:
    """What may be seen of it. The name of a file is no secret, what is in it is."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, tuple | list):
        return [show_value(key, item) for item in value]
    if isinstance(value, Mapping) and not _SECRET.search(key):
        return {str(name): show_value(str(name), item) for name, item in value.items()}
    text = str(value)
    if text and _SECRET.search(key):
        return HIDDEN
    return mask_text(text)


def mask_text(text: str) -> str:
    """A URL without its password; of a line of a proxy's configuration that may hold one, the first word."""
    masked = _OPTION.sub(rf"\1{HIDDEN}", _USER.sub(rf"\1:{HIDDEN}", text))
    if masked == text and " " in text and _SECRET.search(text):
        return f"{text.partition(' ')[0]} {HIDDEN}"
    return masked


def show_options(document: str) -> object:
    """Of a device pool, which are JSON: what may be seen of them; whole only where they can be read."""
    if not document:
        return ""
    try:
        return show_value("options", json.loads(document))
    except (ValueError, RecursionError):
        return HIDDEN
