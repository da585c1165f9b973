"""The style, the script and the sign: a handful of files, kept in memory, cached by browsers for as long as they like.

Their address holds what they are made of, so a new release brings new addresses.
"""

import hashlib
from importlib.resources import files

from fastapi import Request, Response

from libra.errors import NotFound

_TYPES = {
    "ui.css": "text/css; charset=utf-8",
    "ui.js": "text/javascript; charset=utf-8",
    "sign.svg": "image/svg+xml",
}
_KEPT = {name: (files("libra.web") / "static" / name).read_bytes() for name in _TYPES}
STAMP = hashlib.blake2b(b"".join(_KEPT.values()), digest_size=8).hexdigest()
FOREVER = "public, max-age=31536000, immutable"


def answer_file(request: Request, name: str) -> Response:
    """Raises `NotFound`."""
    if name not in _TYPES:
        raise NotFound("there is no such file")
    is_current = request.path_params.get("stamp") == STAMP
    caching = FOREVER if is_current else "no-cache"
    return Response(_KEPT[name], media_type=_TYPES[name], headers={"Cache-Control": caching})
