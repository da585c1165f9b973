"""Media types by name."""

import pytest

from libra.serving.kinds import UNKNOWN, Kinds

OWN = ((".svg", "text/x-mine"), (".tar.gz", "application/x-tgz"), (".gz", "application/x-gz"))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (b"a.html", "text/html"),
        (b"A.HTML", "text/html"),
        (b"a.svg", "image/svg+xml"),
        (b"a.tar.gz", "application/gzip"),
        (b"a.woff2", "font/woff2"),
        (b"a", UNKNOWN),
        (b".html", UNKNOWN),
        (b"a.\xff", UNKNOWN),
    ],
)
def test_known_ones(name: bytes, kind: str) -> None:
    assert Kinds().kind(name) == kind


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (b"a.SVG", "text/x-mine"),
        (b"a.tar.gz", "application/x-tgz"),
        (b"a.gz", "application/x-gz"),
        (b"a.css", "text/css"),
    ],
)
def test_a_services_own_come_first(name: bytes, kind: str) -> None:
    assert Kinds(OWN).kind(name) == kind


def test_what_the_browser_unpacks() -> None:
    assert Kinds().encoding(b"a.svgz") == "gzip"
    assert Kinds().encoding(b"a.gz") is None
