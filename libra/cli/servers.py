"""Which job servers a command talks to."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from libra.config.load import load_settings
from libra.config.settings import JobServerSettings
from libra.config.types import parse_host
from libra.errors import Invalid
from libra.messages.fields import quoted

DEFAULT_PORT = 4730


def choose_servers(
    config: Path | None, names: Sequence[str], environ: Mapping[str, str]
) -> tuple[JobServerSettings, ...]:
    """The servers named on the command line, else those of the settings; raises `Invalid`.

    With a settings file, named servers are looked up in it: it says how to speak TLS to them, and a server that
    it does not name must not be spoken to in clear text by mistake.
    """
    if config is None and names:
        return tuple(parse_server(name) for name in names)
    configured = load_settings(config, environ).job_servers
    if not names:
        return configured
    known = {(server.host, server.port): server for server in configured}
    return tuple(_find(parse_server(name), known, config) for name in names)


def parse_server(text: str) -> JobServerSettings:
    """HOST, HOST:PORT, ADDRESS or [ADDRESS]:PORT, in clear text; raises `Invalid`."""
    host, port = _split(text)
    try:
        if not 1 <= port <= 65535:
            raise ValueError
        return JobServerSettings(host=parse_host(host), port=port)
    except ValueError:
        raise Invalid(
            f"cannot use the job server {quoted(text)}: it must be HOST, HOST:PORT or [IPV6]:PORT"
        ) from None


def _split(text: str) -> tuple[str, int]:
    host, colon, digits = text.rpartition(":")
    bare_address = ":" in host and not host.endswith("]")
    if not colon or bare_address or text.endswith("]"):
        return text, DEFAULT_PORT
    return host, int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 6 else 0


def _find(
    wanted: JobServerSettings,
    known: Mapping[tuple[str, int], JobServerSettings],
    config: Path | None,
) -> JobServerSettings:
    try:
        return known[wanted.host, wanted.port]
    except KeyError:
        raise Invalid(
            f"cannot use the job server {wanted.host} port {wanted.port}: {config} does not name it"
        ) from None
