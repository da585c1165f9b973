"""The root: which release this is."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from libra import __version__
from libra.api.errors import wants_text
from libra.api.routers import around

router = APIRouter(tags=["versions"])


@router.get("/", response_model=None)
def show_release(request: Request) -> Response | dict[str, object]:
    """For people a line with the release. For clients that accept JSON, which OpenStack's do, the versions."""
    if wants_text(request):
        return PlainTextResponse(f"libra version: {__version__}\n")
    return around.root_document(request)
