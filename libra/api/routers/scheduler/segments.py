"""A name in a path."""

from urllib.parse import quote, unquote

from starlette.convertors import Convertor


class Segment(Convertor[str]):
    """Whatever it holds: `read_path` has encoded it whole, slashes and dots included."""

    regex = "[^/]+"

    def convert(self, value: str) -> str:
        """Starlette's."""
        return unquote(value)

    def to_string(self, value: str) -> str:
        """Starlette's."""
        return quote(value, safe="")
