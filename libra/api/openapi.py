"""The OpenAPI document: FastAPI's, with the errors that every operation may answer."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from libra.api.lookup import Lookup
from libra.api.scheduling import is_of_scheduler

FAULTS = {
    "400": "What was sent is not what it must be",
    "403": "The caller may not do that, or its project has no room for it",
    "404": "There is no such thing",
    "409": "Not in this state, or it is there already",
    "413": "The body is too large",
    "500": "A fault of libra's",
    "501": "A good request for something that is not done here",
    "503": "The database does not answer, or no device is ready",
}
_FAULT = {
    "type": "object",
    "required": ["faultcode", "faultstring", "debuginfo"],
    "properties": {
        "faultcode": {"type": "string", "enum": ["Client", "Server"]},
        "faultstring": {"type": "string"},
        "debuginfo": {"type": ["string", "null"]},
        "error": {"type": "string", "description": "of web clusters: what it is, in one word"},
    },
}
_UNAUTHORIZED = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "object"}},
}
_SECURITY = {
    "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"},
    "bearer": {"type": "http", "scheme": "bearer"},
    "basic": {"type": "http", "scheme": "basic"},
}
_TEXT = {"text/plain": {"schema": {"type": "string"}}}
"""What the scheduler's paths answer to who does not ask for JSON, errors too."""
_OPEN = (
    "/health",
    "/health/{group}",
    "/healthz",
    "/readyz",
    "/",
    "/load-balancer",
    "/load-balancer/",
)
_PERHAPS_OPEN = ("/metrics",)  # api.anonymous_metrics


def build_openapi(app: FastAPI) -> dict[str, Any]:
    """Made once."""
    if app.openapi_schema:
        return app.openapi_schema
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=_routes(app)
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Fault"], schemas["Unauthorized"] = _FAULT, _UNAUTHORIZED
    document["components"]["securitySchemes"] = _SECURITY
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete(path, method, operation)
    app.openapi_schema = document
    return document


def _routes(app: FastAPI) -> list[BaseRoute]:
    """With those that are behind a `Lookup`."""
    return [
        inner
        for route in app.routes
        for inner in (route.routes if isinstance(route, Lookup) else [route])
    ]


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    if is_of_scheduler(path):
        responses["200"] = {
            "description": "Done, or what was asked for",
            "content": {"application/json": {"schema": {}}},
        }
    for status, words in FAULTS.items():
        responses.setdefault(status, _answer(words, "Fault"))
    if path == "/readyz":
        responses["503"] = {
            "description": "Not ready",
            "content": {"application/json": {"schema": {"type": "object"}}},
        }
    if path not in _OPEN or method != "get":
        responses["401"] = _answer("A token is required", "Unauthorized")
        anonymous: list[dict[str, list[str]]] = [{}] if path in _PERHAPS_OPEN else []
        operation["security"] = [*anonymous, *({name: []} for name in _SECURITY)]
    if is_of_scheduler(path):
        for response in responses.values():
            response["content"] = {**response["content"], **_TEXT}


def _answer(words: str, schema: str) -> dict[str, Any]:
    reference = {"$ref": f"#/components/schemas/{schema}"}
    return {"description": words, "content": {"application/json": {"schema": reference}}}
