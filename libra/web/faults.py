"""What is told below /ui where no page can be shown: a page, too, for whoever it is."""

from collections.abc import Mapping

from fastapi import Response

from libra import __version__
from libra.web.render import answer
from libra.web.session import PATH


def refuse(status: int, words: str, headers: Mapping[str, str] | None) -> Response:
    """Without a menu: it depends on nobody, nor on the database."""
    title = "Not found" if status == 404 else "That did not work"
    context = {"title": title, "words": words, "back": f"{PATH}/", "release": __version__}
    told = answer("stray.html", context, status)
    told.headers.update(headers or {})
    return told
