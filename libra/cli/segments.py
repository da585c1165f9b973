"""A name as one segment of a URL's path, whatever it holds."""

from urllib.parse import quote

from libra.errors import Invalid


def segment(name: str) -> str:
    """Encoded whole: slashes, and dots, too, or ".." would be another path and "x.json" a question for JSON.

    A byte of the command line that is not UTF-8 is sent as it is, and the API says so. Raises `Invalid` for no name.
    """
    if not name:
        raise Invalid("cannot use an empty name")
    return quote(name, safe="", errors="surrogateescape").replace(".", "%2E")
