"""Renders the sample file from the settings' models: every key with its help and its default."""

import json
import re
import textwrap
from collections.abc import Iterator
from enum import Enum
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from libra.config.document import parse_scalar
from libra.config.settings import Settings
from libra.config.words import has_choices, is_list, requirement, section_of

WIDTH = 98
_HEAD = """\
# Settings of libra. Generated from the settings themselves: every key, its help and its default.
#
# What stands behind a # without a space is the key's default, or an example where it has none.
# Take the # away to set it. Keys that are left out keep their defaults; unknown keys are refused.
# `libra config check FILE` tells every fault at once; SIGHUP makes a daemon read the file anew.
#
# Any key can be set in the environment as well, which wins over this file:
# LIBRA_WORKER__NAME=web1, LIBRA_LOGGING__LEVEL=debug, LIBRA_JOB_SERVERS='[{host: gear1}]'
"""
_BARE = re.compile(r"[A-Za-z0-9_/.][A-Za-z0-9_/.*:-]*")


def render_sample() -> str:
    """The YAML text of etc/libra.yaml. It loads as it is, and gives the defaults."""
    lines = [_HEAD.rstrip()]
    for name, field in Settings.model_fields.items():
        lines += ["", *_render_section(name, field, "")]
    return "\n".join(lines) + "\n"


def example_of(field: FieldInfo) -> Any:
    """The example of a setting whose default says nothing or depends on the host; None for the others."""
    return field.examples[0] if field.examples else None


def plain(value: Any) -> Any:
    """A default as YAML and JSON know it."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int | float) or value is None else str(value)


def _render_section(name: str, field: FieldInfo, indent: str) -> Iterator[str]:
    section = section_of(field.annotation)
    assert section is not None
    yield from _comment(f"{field.description or ''} {section.__doc__}", indent)
    yield f"{indent}{name}:"
    below = indent + "  "
    if is_list(field) and not field.default:
        yield from (
            line if line.lstrip().startswith("#") else f"{below}#{line.removeprefix(below)}"
            for line in _render_first_item(section, below)
        )
    elif is_list(field):
        yield from _render_first_item(section, below)
    else:
        yield from _render_keys(section, below)


def _render_first_item(section: type[BaseModel], indent: str) -> Iterator[str]:
    """A list with its one default item, as live text: what everybody sets first."""
    dash = "- "
    for name, field in section.model_fields.items():
        yield from _comment(_help(field), indent + "  ")
        if example_of(field) is None:
            yield f"{indent}{dash}{name}: {_scalar(plain(field.default))}"
            dash = "  "
        else:
            yield f"{indent}  #{name}: {_scalar(example_of(field))}{_note(field)}"


def _render_keys(section: type[BaseModel], indent: str) -> Iterator[str]:
    for name, field in section.model_fields.items():
        if section_of(field.annotation) is not None:
            yield from _render_section(name, field, indent)
            continue
        value = plain(field.default) if example_of(field) is None else example_of(field)
        yield from _comment(_help(field), indent)
        yield f"{indent}#{name}: {_scalar(value)}{_note(field)}"


def _help(field: FieldInfo) -> str:
    takes = f" ({requirement(field)})" if has_choices(field) else ""
    return f"{field.description}{takes}"


def _note(field: FieldInfo) -> str:
    return "  # an example" if example_of(field) is not None else ""


def _comment(text: str, indent: str) -> list[str]:
    prefix = f"{indent}# "
    return textwrap.wrap(
        " ".join(text.split()),
        WIDTH,
        initial_indent=prefix,
        subsequent_indent=prefix,
        break_on_hyphens=False,
    )


def _scalar(value: Any) -> str:
    """In one line; a text that YAML could take for something else is quoted, as JSON is."""
    if isinstance(value, str) and _BARE.fullmatch(value) and parse_scalar(value) == value:
        return value
    return json.dumps(value)
