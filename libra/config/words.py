"""What a setting takes, in words: for error texts ("must be ...") and for the reference."""

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from libra.config.types import Takes

_PLAIN = {str: "a text", Path: "a path", bool: "true or false"}
_NUMBERS = {int: "a whole number", float: "a number"}


def requirement(field: FieldInfo) -> str:
    """The words for a whole field: "a whole number from 1 to 65535"."""
    return _describe(field.annotation, field.metadata)


def item_requirement(field: FieldInfo) -> str:
    """The words for one item of a list field."""
    return _describe(item_type(field), [])


def has_choices(field: FieldInfo) -> bool:
    """True for a number or a closed set of words, whose requirement tells more than its help."""
    annotation, _ = _unwrap(field.annotation, [])
    return annotation in _NUMBERS or (isinstance(annotation, type) and issubclass(annotation, Enum))


def is_list(field: FieldInfo) -> bool:
    """True for a field that holds a list."""
    return get_origin(field.annotation) is tuple


def item_type(field: FieldInfo) -> Any:
    """The type of a list field's items."""
    return get_args(field.annotation)[0]


def section_of(annotation: Any) -> type[BaseModel] | None:
    """The model of a section, or of a list's items; None for a plain setting."""
    if get_origin(annotation) is tuple:
        annotation = get_args(annotation)[0]
    is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return annotation if is_model else None


def walk(
    model: type[BaseModel], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    """Every setting and section below a model with its path. Lists are one setting: their items have no path."""
    for name, field in model.model_fields.items():
        yield (*path, name), field
        section = section_of(field.annotation)
        if section is not None and not is_list(field):
            yield from walk(section, (*path, name))


def _describe(annotation: Any, metadata: list[Any]) -> str:
    annotation, metadata = _unwrap(annotation, metadata)
    for item in metadata:
        if isinstance(item, Takes):
            return item.words
    if get_origin(annotation) is tuple:
        return f"a list, each item {_describe(get_args(annotation)[0], [])}"
    if annotation in _NUMBERS:
        return _NUMBERS[annotation] + _bounds(metadata)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return "one of " + ", ".join(str(member.value) for member in annotation)
    if section_of(annotation) is not None:
        return "a section of keys and values"
    return _PLAIN[annotation]


def _unwrap(annotation: Any, metadata: list[Any]) -> tuple[Any, list[Any]]:
    """Without `| None` and `Annotated`, whose metadata is added."""
    if get_origin(annotation) in (Union, UnionType):
        (annotation,) = (item for item in get_args(annotation) if item is not type(None))
    if get_origin(annotation) is Annotated:
        annotation, *more = get_args(annotation)
        metadata = [*metadata, *more]
    constraints = [part for item in metadata for part in getattr(item, "metadata", [item])]
    return annotation, constraints


def _bounds(metadata: list[Any]) -> str:
    limits = {
        name: getattr(item, name)
        for item in metadata
        for name in ("ge", "gt", "le")
        if hasattr(item, name)
    }
    least, above, most = (limits.get(name) for name in ("ge", "gt", "le"))
    if least is not None and most is not None:
        return f" from {least} to {most}"
    words = [
        f"{word} {limit}"
        for word, limit in (("of at least", least), ("above", above), ("at most", most))
        if limit is not None
    ]
    return f" {' and '.join(words)}" if words else ""
