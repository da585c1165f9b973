"""The types of web services: what each may be given. Nothing is filled in: what is stored is what was given."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from libra.errors import Invalid
from libra.messages.addresses import (
    is_group,
    is_metadata,
    is_wildcard,
    parse_host_name,
    parse_ip_address,
)
from libra.messages.fields import quoted
from libra.model.webpaths import join
from libra.model.webservice import is_url, normal_path
from libra.model.webservices import REFUSED, WebServiceType
from libra.usecases.webclusters.attributes import Attributes

Config = dict[str, Any]
MOST_NESTED, DEEPEST = 100, 8
MOST_MEMBERS = 100
MOST_JSON = 64 * 1024
MOST_CACHE_SECONDS = 10 * 365 * 24 * 3600
MOST_TUNNEL_SECONDS = 24 * 24 * 3600
ALGORITHMS = ("ROUND_ROBIN", "LEAST_CONNECTIONS", "SOURCE_IP")
MONITORS = ("HTTP", "TCP")
REDIRECTS = (301, 302, 303, 307, 308)
METHODS = ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
_URL_PATH = re.compile(r"/[A-Za-z0-9._~!$&()*+,;=:@%/?-]*")
_CODES = re.compile(r"[1-5][0-9]{2}(-[1-5][0-9]{2}|( *, *[1-5][0-9]{2}){0,99})")
_EXTENSION = re.compile(r"\.[A-Za-z0-9_+-]{1,20}")
_MIME_TYPE = re.compile(
    r"[A-Za-z0-9!#$&^_.+-]{1,64}/[A-Za-z0-9!#$&^_.+-]{1,64}(; ?charset=[A-Za-z0-9_-]{1,32})?"
)
_DIRECTORY = re.compile(r"(/[A-Za-z0-9._~@+=, -]+)+/?")
_FILE = re.compile(r"[A-Za-z0-9._~@+=, -]{1,255}")


def parse_service(kind: object, given: Mapping[str, object], path: str) -> Config:
    """What is stored of a service of this type at this path; `given` has no more than the type's own attributes.

    Raises `Invalid`, in words for people.
    """
    return _parse(kind, given, path, 0)


def _parse(kind: object, given: Mapping[str, object], path: str, depth: int) -> Config:
    known = _known(kind, path)
    attributes = Attributes(dict(given), f"the {known.value} at {path}")
    nested = known is WebServiceType.PATH
    config = _parse_path(attributes, path, depth) if nested else _PARSERS[known](attributes)
    if attributes.optional_text("id", longest=255) is not None:
        config["id"] = attributes.raw("id")
    attributes.finish()
    return config


def _known(kind: object, path: str) -> WebServiceType:
    if kind is None:
        raise Invalid(f"cannot serve {path}: it needs a type")
    names = [item.value for item in WebServiceType]
    if kind not in names:
        why = REFUSED.get(kind) if isinstance(kind, str) else None
        raise Invalid(
            f"cannot serve the type {quoted(kind)} at {path}: "
            + (why or f"it must be one of {', '.join(names)}")
        )
    return WebServiceType(kind)


def _given(**values: object) -> Config:
    """Without what is absent."""
    return {name: value for name, value in values.items() if value is not None}


def _parse_path(attributes: Attributes, path: str, depth: int) -> Config:
    if depth >= DEEPEST:
        raise Invalid(f"cannot serve {path}: there are more than {DEEPEST} paths in each other")
    paths = attributes.mapping("paths", most=MOST_NESTED)
    if paths is None:
        raise attributes.missing("paths")
    nested = {}
    for segment, value in paths.items():
        inner = join(path, segment)
        if not isinstance(value, dict):
            raise Invalid(f"cannot serve {inner}: it must be a JSON object, got {quoted(value)}")
        kind = value.get("type")
        own = {name: item for name, item in value.items() if name != "type"}
        nested[segment] = {"type": kind, **_parse(kind, own, inner, depth + 1)}
    return {"paths": nested}


def _parse_redirect(attributes: Attributes) -> Config:
    url = attributes.text("url")
    if not is_url(url):
        raise attributes.fault(
            "url", "an http or https URL, or a path, in plain ASCII without spaces"
        )
    return _given(url=url, code=attributes.choice("code", REDIRECTS))


def _parse_json(attributes: Attributes) -> Config:
    value = attributes.raw("value")
    try:
        text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        raise Invalid(
            f"cannot use {attributes.where}: value is no JSON that others can read"
        ) from None
    if len(text) > MOST_JSON:
        raise Invalid(
            f"cannot use {attributes.where}: value must have at most {MOST_JSON} characters"
        )
    options = attributes.nested("options")
    if options is None:
        return {"value": value}
    names = ("prettify", "allow_cross_origin", "discourage_caching")
    flags = _given(**{name: options.flag(name) for name in names})
    options.finish()
    return {"value": value, "options": flags}


def _parse_nodeinfo(_attributes: Attributes) -> Config:
    return {}


def _parse_static(attributes: Attributes) -> Config:
    if attributes.has("package") or attributes.has("resource"):
        raise Invalid(
            f"cannot use {attributes.where}: files of Python packages are not served; give a directory"
        )
    directory = attributes.text("directory", longest=1024)
    if not _DIRECTORY.fullmatch(directory) or {".", ".."} & set(directory.split("/")):
        raise attributes.fault(
            "directory", "an absolute path on the nodes below /, without . or .. in it"
        )
    options = attributes.nested("options")
    if options is None:
        return {"directory": directory}
    parsed = _parse_static_options(options)
    options.finish()
    return {"directory": directory, "options": parsed}


def _parse_static_options(options: Attributes) -> Config:
    default_file = options.optional_text("default_file", longest=255)
    if default_file is not None and (
        not _FILE.fullmatch(default_file) or default_file in (".", "..")
    ):
        raise options.fault("default_file", "the name of a file in the directory")
    parsed = _given(
        enable_directory_listing=options.flag("enable_directory_listing"),
        default_file=default_file,
        mime_types=_parse_mime_types(options),
    )
    most = MOST_CACHE_SECONDS
    seconds = options.optional_integer("cache_timeout", least=0, most=most)
    if options.given("cache_timeout"):
        parsed["cache_timeout"] = seconds  # null: nothing is said of how long it may be kept
    return parsed


def _parse_mime_types(options: Attributes) -> dict[str, str] | None:
    given = options.mapping("mime_types", most=MOST_NESTED)
    if given is None:
        return None
    types: dict[str, str] = {}
    for extension, kind in given.items():
        is_type = isinstance(kind, str) and _MIME_TYPE.fullmatch(kind)
        if not _EXTENSION.fullmatch(extension) or not is_type:
            raise options.fault("mime_types", 'like {".svg": "image/svg+xml"}')
        types[extension] = str(kind)
    return types


# Those with servers behind them.


def _parse_reverse_proxy(attributes: Attributes) -> Config:
    return {
        **_parse_targets(attributes),
        **_parse_base(attributes),
        **_given(
            forwarded_port=attributes.optional_integer("forwarded_port", least=1, most=65535),
            forwarded_proto=attributes.choice("forwarded_proto", ("http", "https")),
        ),
    }


def _parse_websocket(attributes: Attributes) -> Config:
    tunnel = attributes.optional_integer("tunnel_timeout", least=1, most=MOST_TUNNEL_SECONDS)
    backend = attributes.nested("backend")
    if backend is None:
        targets = {**_parse_targets(attributes), **_parse_base(attributes)}
    else:
        targets = {"backend": _parse_backend(backend)}
        if attributes.has(
            "url"
        ):  # crossbar's, for its own answers to the client; the client's URL is what it is
            targets["url"] = attributes.text("url")
        targets |= _parse_monitor_of(attributes)
    options = attributes.nested("options")
    if options is not None:
        _refuse_options(options)
    return {**targets, **_given(tunnel_timeout=tunnel)}


def _refuse_options(options: Attributes) -> None:
    """HAProxy passes frames on as they are; it neither limits nor pings."""
    try:
        options.finish()
    except Invalid:
        raise Invalid(
            f"cannot use {options.where}: frames are passed on as they come; "
            "tunnel_timeout can be set, beside options"
        ) from None


def _parse_backend(backend: Attributes) -> Config:
    """Crossbar's way to name the one server: an endpoint, and a URL whose path counts."""
    endpoint = backend.nested("endpoint")
    if endpoint is None:
        raise backend.missing("endpoint")
    kind = endpoint.choice("type", ("tcp",)) or "tcp"
    host, port = _parse_host(endpoint, "host"), endpoint.integer("port", least=1, most=65535)
    endpoint.finish()
    url = backend.optional_text("url")
    if url is not None and not _is_websocket_url(url):
        raise backend.fault("url", "like ws://HOST:PORT/PATH; TLS to servers is not done")
    backend.finish()
    return {"endpoint": {"type": kind, "host": host, "port": port}, **_given(url=url)}


def _is_websocket_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    path = f"/{parts.path.strip('/')}"
    plain = not parts.query and not parts.fragment and normal_path(path) is not None
    return parts.scheme in ("ws", "http") and plain


def _parse_base(attributes: Attributes) -> Config:
    """`path` is what crossbar calls it; at the top it is the service's own, and not read here."""
    name = "base_path" if attributes.has("base_path") or not attributes.has("path") else "path"
    base = attributes.optional_text(name, longest=1000)
    if base is None:
        return {}
    if normal_path(f"/{base.strip('/')}") is None:
        raise attributes.fault(name, "a path at the servers, without query, . or ..")
    return {name: base}


def _parse_targets(attributes: Attributes) -> Config:
    """One host and port, or a pool of members."""
    members = attributes.objects("members", most=MOST_MEMBERS)
    if members is not None and (attributes.has("host") or attributes.has("port")):
        raise Invalid(f"cannot use {attributes.where}: give host and port, or members, not both")
    if members is None:
        if not attributes.has("host"):
            raise attributes.missing("host and port, or members")
        targets: Config = {"host": _parse_host(attributes, "host")}
        targets["port"] = attributes.integer("port", least=1, most=65535)
    else:
        targets = {"members": _parse_members(attributes, members)}
    return {**targets, **_parse_monitor_of(attributes)}


def _parse_members(attributes: Attributes, members: list[Attributes]) -> list[Config]:
    parsed = [_parse_member(item) for item in members]
    places = {(item["address"], item["port"]) for item in parsed}
    if len(places) < len(parsed):
        raise attributes.fault("members", "each once: two have the same address and port")
    return parsed


def _parse_member(member: Attributes) -> Config:
    parsed = {
        "address": _parse_host(member, "address"),
        "port": member.integer("port", least=1, most=65535),
        **_given(
            weight=member.optional_integer("weight", least=0, most=256),
            backup=member.flag("backup"),
        ),
    }
    member.finish()
    return parsed


def _parse_host(attributes: Attributes, name: str) -> str:
    given = attributes.text(name, longest=253)
    address = parse_ip_address(given.removeprefix("[").removesuffix("]"))
    host = address or parse_host_name(given)
    if host is None or is_wildcard(host) or is_group(host):
        raise attributes.fault(name, "the address or the name of one host")
    if is_metadata(host):
        raise attributes.fault(
            name, "another: it is where a cloud tells its machines their secrets"
        )
    return host


def _parse_monitor_of(attributes: Attributes) -> Config:
    monitor = attributes.nested("monitor")
    parsed = _given(lb_algorithm=attributes.choice("lb_algorithm", ALGORITHMS))
    if monitor is not None:
        parsed["monitor"] = _parse_monitor(monitor)
        monitor.finish()
    return parsed


def _parse_monitor(monitor: Attributes) -> Config:
    kind = monitor.choice("type", MONITORS)
    if kind is None:
        raise monitor.missing("type")
    parsed = _given(
        type=kind,
        delay=monitor.optional_integer("delay", least=1, most=3600),
        timeout=monitor.optional_integer("timeout", least=1, most=3600),
        max_retries=monitor.optional_integer("max_retries", least=1, most=10),
        max_retries_down=monitor.optional_integer("max_retries_down", least=1, most=10),
    )
    return parsed | _parse_request(monitor) if kind == "HTTP" else parsed


def _parse_request(monitor: Attributes) -> Config:
    path = monitor.optional_text("url_path", longest=1000)
    if path is not None and not _URL_PATH.fullmatch(path):
        raise monitor.fault("url_path", "a path that starts with /")
    codes = monitor.optional_text("expected_codes", longest=500)
    if codes is not None and not _CODES.fullmatch(codes):
        raise monitor.fault("expected_codes", "like 200, 200,202 or 200-204")
    name = monitor.optional_text("domain_name", longest=253)
    if name is not None and parse_host_name(name) is None:
        raise monitor.fault("domain_name", "a host name")
    return _given(
        http_method=monitor.choice("http_method", METHODS),
        url_path=path,
        expected_codes=codes,
        domain_name=name,
    )


_PARSERS: Mapping[WebServiceType, Callable[[Attributes], Config]] = {
    WebServiceType.REDIRECT: _parse_redirect,
    WebServiceType.JSON: _parse_json,
    WebServiceType.NODEINFO: _parse_nodeinfo,
    WebServiceType.STATIC: _parse_static,
    WebServiceType.REVERSE_PROXY: _parse_reverse_proxy,
    WebServiceType.WEBSOCKET: _parse_websocket,
}
