"""Writes web services as the objects that read back as exactly these."""

from datetime import timedelta
from typing import assert_never

from libra.messages.codec import JsonObject
from libra.messages.written import without_none
from libra.model.webservice import (
    Json,
    Metrics,
    NodeInfo,
    Redirect,
    ReverseProxy,
    Static,
    WebService,
)

_MILLISECOND = timedelta(milliseconds=1)


def build_service(service: WebService) -> JsonObject:
    """One of a listener's `services`."""
    return without_none({"path": service.path, **_own(service)})


def _own(service: WebService) -> JsonObject:
    match service:
        case ReverseProxy():
            return _proxy(service)
        case Redirect():
            return {"type": "redirect", "url": service.url, "code": service.code}
        case Json():
            # As a text, whatever is in it: quotes stand behind a backslash then, which `UpdateWriter` builds on.
            options = {
                "prettify": service.prettify,
                "allow_cross_origin": service.allow_cross_origin,
                "discourage_caching": service.discourage_caching,
            }
            return {"type": "json", "text": service.text, "options": options}
        case Static():
            return _static(service)
        case NodeInfo():
            return {"type": "nodeinfo"}
        case Metrics():
            return {"type": "metrics"}
    assert_never(service)


def _proxy(service: ReverseProxy) -> JsonObject:
    tunnel = service.timeout_tunnel
    return {
        "type": "reverseproxy",
        "pool": service.pool.id,
        "base_path": service.base_path,
        "websocket": service.websocket,
        "tunnel_timeout": tunnel // _MILLISECOND if tunnel is not None else None,
        "forwarded_port": service.forwarded_port,
        "forwarded_proto": service.forwarded_proto,
    }


def _static(service: Static) -> JsonObject:
    options: JsonObject = {
        "default_file": service.default_file,
        "enable_directory_listing": service.listing,
        "cache_timeout": service.cache_seconds,
        "no_cache": True if service.cache_seconds is None else None,
        "mime_types": dict(service.mime_types) or None,
    }
    return {"type": "static", "directory": service.directory, "options": without_none(options)}
