"""SQL is compiled once in a process of tests, and not again for each of its hundreds of databases."""

from typing import Any

from sqlalchemy import Engine, create_engine

_first: dict[str, Engine] = {}


def create_alike(*arguments: Any, **options: Any) -> Engine:
    """As `create_engine`; to be put in its place in `libra.storage.engines`, which makes engines of one kind alike."""
    engine = create_engine(*arguments, **options)
    first = _first.get(engine.dialect.name)
    if first is None or first.dialect.default_schema_name is None:  # it has never connected
        _first[engine.dialect.name] = engine
    else:
        engine.dialect = first.dialect
        engine._compiled_cache = first._compiled_cache
    return engine
