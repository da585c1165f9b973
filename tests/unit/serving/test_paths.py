"""Which names of a request's path are below a service."""

import posixpath
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.serving.paths import is_exactly, join_path, split_below


@pytest.mark.parametrize(
    ("path", "service", "names"),
    [
        ("/", "/", (b"",)),
        ("/a/b", "/", (b"a", b"b")),
        ("/docs", "/docs", ()),
        ("/docs/", "/docs", (b"",)),
        ("/docs/a%20b", "/docs", (b"a b",)),
        ("/d%6fcs/a", "/docs", (b"a",)),  # HAProxy may have taken it for that
        ("/a%20b/c", "/a%20b", (b"c",)),
        ("/docs/a/", "/docs", (b"a", b"")),
        ("/docs/...", "/docs", (b"...",)),
        ("/docs/%252e%252e", "/docs", (b"%2e%2e",)),
    ],
)
def test_names(path: str, service: str, names: tuple[bytes, ...]) -> None:
    assert split_below(path.encode(), service) == names


@pytest.mark.parametrize(
    "path",
    [
        *("/docs/..", "/docs/../x", "/docs/%2e%2e/x", "/docs/.%2E", "/docs/.", "/docs/./x"),
        *("/docs//x", "/docs/a%2fb", "/docs/..%2f..%2fx", "/docs/a%00", "/docs/%00"),
        *("/docsx", "/", "/doc", "", "docs", "*", "http://h/docs", "/x/../docs/a"),
    ],
)
def test_what_is_no_name_below(path: str) -> None:
    assert split_below(path.encode(), "/docs") is None


parts = st.one_of(
    st.sampled_from(["..", ".", "", "%2e%2e", "%2E.", "..%2f", "%00", "docs", "a", "%252e", "\\"]),
    st.text(min_size=0, max_size=5),
)


@given(st.lists(parts, max_size=8), st.sampled_from(["/", "/docs", "/docs/a"]))
def test_whatever_is_asked_for_stays_below(asked: list[str], service: str) -> None:
    names = split_below(("/" + "/".join(asked)).encode(errors="replace"), service)
    if names is None:
        return
    joined = posixpath.normpath(b"/".join((b"/root/of/it", *filter(None, names))))
    assert joined == b"/root/of/it" or joined.startswith(b"/root/of/it/")
    assert b"\0" not in joined
    assert len(joined.split(b"/")) == 4 + len([name for name in names if name])


@given(st.lists(st.binary(min_size=1, max_size=5), max_size=4))
def test_a_joined_path_is_read_as_the_same_names(names: list[bytes]) -> None:
    path = join_path("/docs", names)
    assert path.startswith("/docs")
    assert "\\" not in path
    bad = any(name in (b".", b"..") or b"/" in name or b"\0" in name for name in names)
    assert bad or split_below(path.encode(), "/docs") == tuple(names)


@pytest.mark.parametrize(("path", "exact"), [("/x", True), ("/x/", False), ("/x/y", False)])
def test_exactly(path: str, exact: bool) -> None:
    assert is_exactly(path.encode(), "/x") is exact
    assert is_exactly(b"/", "/")
    assert not is_exactly(path.encode(), "/")


def test_a_path_in_quotes_is_the_same_path() -> None:
    assert unquote(join_path("/a%20b", [b"c d"])) == "/a b/c d"
    assert join_path("/", [quote("ü").encode(), b""]) == "/%25C3%25BC/"
