"""What the answers of different HAProxys mean. Those of 2.6 and 2.8 were recorded, those of 2.4 and 2.5 are read from
their source and documentation.
"""

from typing import Any

import pytest

from libra.drivers.haproxy.diff import Features
from libra.drivers.haproxy.features import PROBES, FeatureProbe, parse_features, parse_minor
from libra.drivers.haproxy.runtime import Answer, parse_answer

KNOWN = "[3]: No such backend."
RESTRICTED = "[3]: This command is restricted to experimental mode only."
UNKNOWN = "Unknown command: 'add', but maybe one of the following ones is a better match:"
DENIED = "Permission denied"
ALL = Features(add_server=True, add_server_with_cookie=True, remove_server=True)
NONE = Features(add_server=False, add_server_with_cookie=False, remove_server=False)


def answers(*texts: str) -> list[Answer]:
    return [parse_answer(probe, text) for probe, text in zip(PROBES, texts, strict=True)]


@pytest.mark.parametrize(
    ("version", "texts", "features"),
    [
        ("2.4.22", (RESTRICTED, RESTRICTED), NONE),
        ("2.5.14-1", (RESTRICTED, RESTRICTED), NONE),
        ("2.6.12-1+deb12u4", (KNOWN, KNOWN), Features(add_server_with_cookie=False)),
        ("2.7.12", (KNOWN, KNOWN), Features(add_server_with_cookie=False)),
        ("2.8.25-5cf5d0683", (KNOWN, KNOWN), ALL),
        ("3.0.26", (KNOWN, KNOWN), ALL),
        ("3.4-dev11", (KNOWN, KNOWN), ALL),
        ("2.3.21", (UNKNOWN, UNKNOWN), NONE),
        ("3.2.1", (DENIED, DENIED), NONE),
        ("3.2.1", ("", ""), NONE),
        ("3.2.1", (KNOWN, RESTRICTED), Features(add_server_with_cookie=True, remove_server=False)),
        ("3.2.1", (RESTRICTED, KNOWN), Features(add_server=False, remove_server=True)),
        ("next", (KNOWN, KNOWN), Features(add_server_with_cookie=False)),
        ("", (KNOWN, KNOWN), Features(add_server_with_cookie=False)),
    ],
)
def test_what_can_be_done(version: str, texts: tuple[str, str], features: Features) -> None:
    assert parse_features(version, *answers(*texts)) == features


@pytest.mark.parametrize(
    ("version", "minor"),
    [
        ("2.8.25-5cf5d0683", (2, 8)),
        ("2.6.12-1+deb12u4", (2, 6)),
        ("2.8-dev3", (2, 8)),
        ("3.10", (3, 10)),
        ("12.0.1", (12, 0)),
        ("", (0, 0)),
        ("2", (0, 0)),
        ("2.", (0, 0)),
        ("x2.8", (0, 0)),
        ("²\u200b.8", (0, 0)),
        ("٢.٨", (0, 0)),
    ],
)
def test_minor_versions(version: str, minor: tuple[int, int]) -> None:
    assert parse_minor(version) == minor


class Admin:
    """Answers as 2.8 does, and counts."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def ask_all(self, commands: tuple[str, ...]) -> list[Answer]:
        self.asked.append(commands)
        return answers(KNOWN, KNOWN)


def test_it_is_asked_once_a_version() -> None:
    admin = Admin()
    probe = FeatureProbe(admin)  # type: ignore[arg-type]
    for version in ("2.8.1", "2.8.1", "2.6.1", "2.6.1", "2.8.1"):
        assert probe.features(version).add_server_with_cookie == (version == "2.8.1")
    assert admin.asked == [PROBES] * 3
