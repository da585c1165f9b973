"""Renders the reference of all settings, in Markdown, from their models."""

from collections.abc import Iterator

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from libra.config.environment import variable_name
from libra.config.sample import plain
from libra.config.settings import Settings
from libra.config.words import is_list, requirement, section_of

_HEAD = """\
# Settings

The settings live in one YAML file; every key has a default, so the file may be empty. `libra config sample` prints
it with every key, its help and its default. `libra config check FILE` tells every fault at once.

- Unknown keys are refused, and so are keys given twice.
- An environment variable named as below wins over the file; an empty one counts as not set. Lists and whole
  sections are given there as YAML or JSON text: `LIBRA_JOB_SERVERS='[{host: gear1}, {host: gear2}]'`.
- What YAML 1.1 would read as something else stays as it is written: `no` and `on` are texts, `22:22` is no number.
  Tags and aliases are not taken.
- A worker reads the file anew at SIGHUP, a controller the section `logging` and the files `api.cert`, `api.key` and
  `controller.admin_token_file`, and its log says what else has changed and needs a restart. With a fault in it, both
  keep the settings that they have.
"""


def render_reference() -> str:
    """The text of doc/reference/settings.md."""
    lines = [_HEAD.rstrip()]
    for name, field in Settings.model_fields.items():
        lines += _render_section((name,), field)
    return "\n".join(lines) + "\n"


def _render_section(path: tuple[str, ...], field: FieldInfo) -> Iterator[str]:
    section = section_of(field.annotation)
    assert section is not None
    yield from ("", f"## {'.'.join(path)}", "")
    yield f"{field.description or ''} {section.__doc__}".strip()
    if is_list(field):
        yield from ("", f"A list. In the environment: `{variable_name(path)}`. Each item has:")
    plain_fields = {
        key: info
        for key, info in section.model_fields.items()
        if section_of(info.annotation) is None
    }
    if plain_fields:
        yield from _render_table(path, plain_fields, with_variables=not is_list(field))
    yield from _render_below(path, section)


def _render_below(path: tuple[str, ...], section: type[BaseModel]) -> Iterator[str]:
    for key, info in section.model_fields.items():
        if section_of(info.annotation) is not None:
            yield from _render_section((*path, key), info)


def _render_table(
    path: tuple[str, ...], fields: dict[str, FieldInfo], *, with_variables: bool
) -> Iterator[str]:
    heads = ["key", "must be", "default", "meaning", *(["variable"] if with_variables else [])]
    yield ""
    yield _row(heads)
    yield _row(["---"] * len(heads))
    for key, info in fields.items():
        cells = [f"`{key}`", requirement(info), _default(info), info.description or ""]
        yield _row([*cells, f"`{variable_name((*path, key))}`"] if with_variables else cells)


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _default(field: FieldInfo) -> str:
    """The same words on every machine."""
    if field.default is PydanticUndefined:
        return "see meaning"
    value = plain(field.default)
    if value is None:
        return "not set"
    if isinstance(value, list):
        return ", ".join(f"`{item}`" for item in value) or "empty"
    return f"`{value}`"
