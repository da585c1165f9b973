"""Reads the web services of a listener in a 2.0 UPDATE into the model."""

import json
import re
from collections.abc import Mapping
from datetime import timedelta

from libra.errors import Invalid
from libra.messages.fields import Fields, fold, has_control_characters, quoted
from libra.model.pool import Pool, PoolProtocol
from libra.model.webservice import (
    Json,
    Metrics,
    NodeInfo,
    Redirect,
    ReverseProxy,
    Static,
    WebService,
    canonical,
    is_url,
    normal_path,
)

MAX_SERVICES = 500
MAX_PATH = 1024
MAX_URL = 2048
MAX_VALUE = 1024 * 1024  # characters of JSON
MAX_SECONDS = 10 * 365 * 24 * 3600
MAX_MILLISECONDS = 24 * 24 * 3600 * 1000
MAX_MIME_TYPES = 1000
CODES = (301, 302, 303, 307, 308)
TYPES = ("reverseproxy", "redirect", "json", "static", "nodeinfo", "metrics")
_MIME = re.compile(
    r"[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100}(?:; ?[A-Za-z0-9=_.-]+)?"
)
_SUFFIX = re.compile(r"\.[A-Za-z0-9_+-]{1,20}")


def parse_services(fields: Fields, pools: Mapping[str, Pool]) -> tuple[WebService, ...] | None:
    """In their order; no two have the same path, nor the same pool. None where the listener has no paths."""
    if not fields.has("services"):
        return None
    if fields.count("services") > MAX_SERVICES:
        raise fields.fault("services", f"a list of at most {MAX_SERVICES} services")
    services = tuple(_parse_service(item, pools) for item in fields.objects("services"))
    _refuse_twins(fields.where("services"), services)
    return services


def _refuse_twins(where: str, services: tuple[WebService, ...]) -> None:
    paths: set[str] = set()
    pools: set[str] = set()
    for index, item in enumerate(services):
        if item.path in paths:
            raise Invalid(f"cannot read {where}[{index}].path: {quoted(item.path)} is there twice")
        paths.add(item.path)
        if isinstance(item, ReverseProxy):
            if item.pool.id in pools:
                raise Invalid(
                    f"cannot read {where}[{index}].pool: {quoted(item.pool.id)} serves another service"
                )
            pools.add(item.pool.id)


def _parse_service(fields: Fields, pools: Mapping[str, Pool]) -> WebService:
    path = _parse_path(fields, "path")
    kind = fold(fields.text("type"))
    options = fields.optional_nested("options") or Fields({})
    match kind:
        case "reverseproxy":
            return _parse_proxy(fields, path, pools)
        case "redirect":
            return Redirect(path=path, url=_parse_url(fields), code=_parse_code(fields))
        case "json":
            return Json(
                path=path,
                text=_parse_value(fields),
                prettify=options.flag("prettify", default=False),
                allow_cross_origin=options.flag("allow_cross_origin", default=False),
                discourage_caching=options.flag("discourage_caching", default=False),
            )
        case "static":
            return _parse_static(fields, path, options)
        case "nodeinfo":
            return NodeInfo(path=path)
        case "metrics":
            return Metrics(path=path)
    raise fields.fault("type", f"one of {', '.join(TYPES)}")


def _parse_path(fields: Fields, name: str) -> str:
    path = normal_path(fields.exact_text(name, longest=MAX_PATH))
    if path is None:
        raise fields.fault(name, 'a path like "/" or "/a/b", without . or .. in it')
    return path


def _parse_proxy(fields: Fields, path: str, pools: Mapping[str, Pool]) -> ReverseProxy:
    identity = fields.identifier("pool")
    if identity is None or identity not in pools:
        raise fields.fault("pool", "the id of a pool of the same load balancer")
    pool = pools[identity]
    if pool.protocol in (PoolProtocol.TCP, PoolProtocol.HTTPS):
        raise fields.fault("pool", f"one of another protocol than {pool.protocol.value}")
    tunnel = fields.optional_integer("tunnel_timeout", least=1, most=MAX_MILLISECONDS)
    scheme = fold(fields.optional_text("forwarded_proto") or "") or None
    if scheme not in (None, "http", "https"):
        raise fields.fault("forwarded_proto", "http or https")
    return ReverseProxy(
        path=path,
        pool=pool,
        base_path=_parse_path(fields, "base_path") if fields.has("base_path") else "/",
        websocket=fields.flag("websocket", default=False),
        timeout_tunnel=timedelta(milliseconds=tunnel) if tunnel else None,
        forwarded_port=fields.optional_integer("forwarded_port", least=1, most=65535),
        forwarded_proto=scheme,
    )


def _parse_url(fields: Fields) -> str:
    url = fields.exact_text("url", longest=MAX_URL)
    if not is_url(url):
        raise fields.fault("url", "a URL with http or https, or a path")
    return url


def _parse_code(fields: Fields) -> int:
    code = fields.integer("code", least=300, most=399, default=302)
    if code not in CODES:
        raise fields.fault("code", f"one of {', '.join(map(str, CODES))}")
    return code


def _parse_value(fields: Fields) -> str:
    """`text` is the value as JSON, `value` the value itself; without any it is null."""
    value: object = None
    if fields.has("text"):
        value = _decode(fields)
    elif fields.has("value"):
        value = fields.raw("value")
    text = canonical(value)
    if len(text) > MAX_VALUE:
        raise Invalid(
            f"cannot read {fields.where('value')}: it is longer than {MAX_VALUE} characters"
        )
    return text


def _decode(fields: Fields) -> object:
    raw = fields.raw("text")
    if not isinstance(raw, str) or len(raw) > MAX_VALUE:
        raise fields.fault("text", f"JSON of at most {MAX_VALUE} characters")
    try:
        return json.loads(raw, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise fields.fault("text", "JSON") from None


def _refuse(_name: str) -> None:
    raise ValueError


def _parse_static(fields: Fields, path: str, options: Fields) -> Static:
    caches = "cache_timeout"
    given = options.optional_integer(caches, least=0, most=MAX_SECONDS)
    return Static(
        path=path,
        directory=_parse_directory(fields),
        default_file=_parse_file(options),
        listing=options.flag("enable_directory_listing", default=False),
        cache_seconds=None if options.flag("no_cache", default=False) else _or(given, 43200),
        mime_types=_parse_types(options),
    )


def _or(value: int | None, default: int) -> int:
    return default if value is None else value


def _parse_directory(fields: Fields) -> str:
    directory = fields.exact_text("directory", longest=MAX_PATH)
    parts = directory.split("/")
    if not directory.startswith("/") or ".." in parts or "." in parts:
        raise fields.fault("directory", "an absolute path, without . or .. in it")
    return directory.rstrip("/") or "/"


def _parse_file(options: Fields) -> str | None:
    name = options.optional_text("default_file", longest=MAX_PATH)
    if name is not None and (name.startswith("/") or {"", ".", ".."} & set(name.split("/"))):
        raise options.fault("default_file", "the name of a file below the directory")
    return name


def _parse_types(options: Fields) -> tuple[tuple[str, str], ...]:
    given = options.raw("mime_types") if options.has("mime_types") else {}
    if not isinstance(given, dict) or len(given) > MAX_MIME_TYPES:
        raise options.fault("mime_types", f"an object with at most {MAX_MIME_TYPES} names")
    for suffix, kind in given.items():
        good = isinstance(kind, str) and _SUFFIX.fullmatch(suffix) and _MIME.fullmatch(kind)
        if not good or has_control_characters(kind):
            raise Invalid(
                f"cannot read {options.where('mime_types')}: it must map suffixes with a dot to types, "
                f"got {quoted(suffix)}: {quoted(kind)}"
            )
    return tuple(sorted(given.items()))
