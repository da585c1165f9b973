"""The web service static: what it answers, and that nothing leads out of its directory."""

import os
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.model.webservice import Static
from libra.serving.application import Application
from libra.serving.confinement import open_below
from tests.support.serving import Answer, build_book, call, open_files

SECRET = b"what nobody may see"


class Site:
    """A directory that is served at /docs, with a secret beside it."""

    def __init__(self, directory: Path) -> None:
        self.top = directory
        self.root = directory / "docs"
        self.root.mkdir()
        (directory / "secret.txt").write_bytes(SECRET)
        (directory / "docs-secret").mkdir()
        (directory / "docs-secret" / "secret.txt").write_bytes(SECRET)

    def write(self, name: str, data: bytes = b"data") -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def get(
        self, path: str, method: str = "GET", headers: dict[str, str] | None = None, **options: Any
    ) -> Answer:
        within = options.pop("within", (self.root,))
        at = options.pop("at", "/docs")
        service = Static(path=at, directory=str(self.root), **options)
        return call(Application(build_book(service, directories=within)), path, at, method, headers)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_file(site: Site) -> None:
    site.write("a b/ü.txt", b"hello")
    answer = site.get(f"/docs/a%20b/{quote('ü')}.txt?x=1")
    assert (answer.status, answer.body) == (200, b"hello")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-length"] == "5"
    assert answer.headers["cache-control"] == "max-age=43200, public"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["accept-ranges"] == "bytes"


def test_a_head_is_a_get_without_its_body(site: Site) -> None:
    site.write("a.txt", b"hello")
    get, head = site.get("/docs/a.txt"), site.get("/docs/a.txt", "HEAD")
    assert (head.status, head.headers, head.body) == (200, get.headers, b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"])
def test_only_reading(site: Site, method: str) -> None:
    site.write("a.txt")
    answer = site.get("/docs/a.txt", method)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


def test_a_service_for_everything(site: Site) -> None:
    site.write("a.txt", b"hello")
    site.write("index.html", b"<p>")
    assert site.get("/a.txt", at="/").body == b"hello"
    assert site.get("/", at="/").body == b"<p>"


@pytest.mark.parametrize("seconds", [0, 5])
def test_cache_time(site: Site, seconds: int) -> None:
    site.write("a.txt")
    answer = site.get("/docs/a.txt", cache_seconds=seconds)
    assert answer.headers["cache-control"] == f"max-age={seconds}, public"
    assert "cache-control" not in site.get("/docs/a.txt", cache_seconds=None).headers


def test_what_a_client_has_is_not_sent_again(site: Site) -> None:
    site.write("a.txt", b"hello")
    first = site.get("/docs/a.txt")
    again = site.get("/docs/a.txt", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["cache-control"] == first.headers["cache-control"]
    assert "content-length" not in again.headers
    since = {"If-Modified-Since": first.headers["last-modified"]}
    assert site.get("/docs/a.txt", "HEAD", since).status == 304
    os.utime(site.write("a.txt", b"other"), (1, 1))
    assert site.get("/docs/a.txt", headers={"If-None-Match": first.headers["etag"]}).status == 200


@pytest.mark.parametrize(
    ("ranges", "status", "body"),
    [
        ("bytes=1-3", 206, b"123"),
        ("bytes=7-", 206, b"789"),
        ("bytes=-2", 206, b"89"),
        ("bytes=8-99", 206, b"89"),
        ("bytes=10-", 416, b""),
        ("rows=1-3", 200, b"0123456789"),
        ("bytes=x", 200, b"0123456789"),
        ("bytes=" + ",".join(["0-0"] * 500), 200, b"0123456789"),
    ],
)
def test_ranges(site: Site, ranges: str, status: int, body: bytes) -> None:
    site.write("digits", b"0123456789")
    answer = site.get("/docs/digits", headers={"Range": ranges})
    assert (answer.status, answer.body) == (status, body)


def test_several_ranges_at_once(site: Site) -> None:
    site.write("digits.txt", b"0123456789")
    answer = site.get("/docs/digits.txt", headers={"Range": "bytes=0-1,5-6"})
    assert answer.status == 206
    assert answer.headers["content-type"].startswith("multipart/byteranges")
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert b"Content-Range: bytes 5-6/10" in answer.body


def test_a_range_of_what_the_client_has_a_part_of(site: Site) -> None:
    site.write("digits", b"0123456789")
    etag = site.get("/docs/digits").headers["etag"]
    asked = {"Range": "bytes=0-1", "If-Range": etag}
    assert site.get("/docs/digits", headers=asked).status == 206
    assert site.get("/docs/digits", headers={**asked, "If-Range": '"other"'}).status == 200


def test_types_of_the_services_own(site: Site) -> None:
    site.write("a.geo", b"{}")
    answer = site.get("/docs/a.geo", mime_types=((".geo", "application/geo+json"),))
    assert answer.headers["content-type"] == "application/geo+json"
    site.write("a.svgz")
    assert site.get("/docs/a.svgz").headers["content-encoding"] == "gzip"


# directories


def test_a_directory_has_an_index_and_a_slash(site: Site) -> None:
    site.write("sub/index.html", b"<p>")
    assert site.get("/docs/sub/").body == b"<p>"
    answer = site.get("/docs/sub?x=1")
    assert (answer.status, answer.headers["location"]) == (307, "/docs/sub/?x=1")
    site.write("index.htm", b"top")
    assert site.get("/docs/").body == b"top"
    assert site.get("/docs").headers["location"] == "/docs/"


def test_no_redirection_leads_to_another_host(site: Site) -> None:
    for name in ("\\evil.example.com", "evil.example.com", "a\r\nb: c"):
        site.write(f"{name}/index.html")
        where = site.get(f"/{quote(name)}", at="/").headers["location"]
        assert where == f"/{quote(name)}/"
        assert "\\" not in where
    assert site.get("//evil.example.com", at="/").status == 404


def test_without_an_index_there_is_nothing(site: Site) -> None:
    site.write("sub/a.txt")
    assert [site.get(path).status for path in ("/docs", "/docs/", "/docs/sub/")] == [404] * 3
    (site.root / "index.html").mkdir()
    assert site.get("/docs/").status == 404


def test_a_list_where_it_is_asked_for(site: Site) -> None:
    site.write("b.txt")
    site.write('<img src=x onerror="a">&', b"")
    site.write("javascript:alert(1)", b"")
    site.write(".hidden")
    site.write("z/y.txt")
    os.mkdir(os.fsencode(site.root) + b"/\xff")  # noqa: PTH102 - no text
    answer = site.get("/docs/", listing=True)
    assert answer.status == 200
    assert '<a href="./b.txt">b.txt</a>' in answer.text
    assert '<a href="./z/">z/</a>' in answer.text
    assert '<a href="./%FF/">' in answer.text
    assert '<a href="./javascript%3Aalert%281%29">' in answer.text
    assert "<img" not in answer.text
    assert "hidden" not in answer.text
    assert "../" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    below = site.get("/docs/z/", listing=True)
    assert '<a href="../">' in below.text
    assert str(site.top) not in answer.text + below.text
    assert site.get("/docs/z", listing=True).headers["location"] == "/docs/z/"
    head = site.get("/docs/", "HEAD", listing=True)
    assert head.headers["content-length"] == answer.headers["content-length"]


def test_a_file_for_what_is_not_there(site: Site) -> None:
    site.write("app/shell.html", b"app")
    options = {"default_file": "app/shell.html"}
    for path in ("/docs", "/docs/", "/docs/users/5", "/docs/app/"):
        answer = site.get(path, **options)
        assert (answer.status, answer.body) == (200, b"app")
        assert answer.headers["content-type"].startswith("text/html")
    assert site.get("/docs/../secret.txt", **options).status == 404
    assert site.get("/docs/x", default_file="nothing.html").status == 404
    for name in ("../secret.txt", "/../secret.txt", "app"):
        assert site.get("/docs/x", default_file=name).status == 404


def test_what_is_not_found_tells_nothing(site: Site) -> None:
    answer = site.get("/docs/nothing<b>")
    assert (answer.status, answer.body) == (404, b"404 Not Found\n")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert site.get("/docs/" + "a" * 5000).status == 404


# what leads out

ATTACKS = (
    *("/docs/../secret.txt", "/docs/%2e%2e/secret.txt", "/docs/..%2fsecret.txt"),
    *("/docs/%2e%2e%2fsecret.txt", "/docs/x/../../secret.txt", "/docs//../secret.txt"),
    *("/docs/....//secret.txt", "/docs/..\\secret.txt", "/docs/%c0%ae%c0%ae/secret.txt"),
    *("/docs/..;/secret.txt", "/docs/.%00./secret.txt", "/docs-secret/secret.txt"),
    *("/docs/../docs-secret/secret.txt", "/docs/link", "/docs/dirlink/secret.txt"),
    *("/docs/uplink/secret.txt", "/docs/chain", "/docs/sibling/secret.txt", "/docs/abs/x"),
)


@pytest.fixture
def linked(site: Site) -> Site:
    links = {
        "link": "../secret.txt",
        "dirlink": "..",
        "uplink": str(site.top),
        "chain": "inner",
        "inner": "link",
        "sibling": "../docs-secret",
        "abs": "/etc",
        "loop": "loop",
        "good": "real.txt",
        "proc": "/proc/self/environ",
        "fd": "/proc/self/fd/0",
    }
    for name, target in links.items():
        (site.root / name).symlink_to(target)
    site.write("real.txt", b"real")
    return site


@pytest.mark.parametrize("path", ATTACKS)
@pytest.mark.parametrize("listing", [False, True])
def test_nothing_outside_is_given_away(linked: Site, path: str, listing: bool) -> None:
    for asked in (path, path + "/"):
        answer = linked.get(asked, listing=listing)
        assert answer.status == 404
        assert SECRET not in answer.body


def test_links_within_are_followed(linked: Site) -> None:
    assert linked.get("/docs/good").body == b"real"
    assert [linked.get(f"/docs/{name}").status for name in ("loop", "proc", "fd")] == [404] * 3


def test_a_directory_that_is_a_link_itself(site: Site) -> None:
    site.write("releases/1/a.txt", b"one")
    site.write("releases/2/a.txt", b"two")
    current = site.top / "current"
    current.symlink_to(site.root / "releases" / "1")
    service = Static(path="/", directory=str(current))
    application = Application(build_book(service, directories=(site.top,)))
    assert call(application, "/a.txt", "/").body == b"one"
    current.unlink()
    current.symlink_to(site.root / "releases" / "2")
    assert call(application, "/a.txt", "/").body == b"two"
    current.unlink()
    current.symlink_to("/etc")
    assert call(application, "/passwd", "/").status == 404


@pytest.mark.parametrize("within", [(), ("/nowhere",), ("docs-secret",), ("doc",)])
def test_only_from_where_the_device_lets_it(site: Site, within: tuple[str, ...]) -> None:
    site.write("a.txt")
    allowed = tuple(site.top / one for one in within)
    assert site.get("/docs/a.txt", within=allowed).status == 404
    assert site.get("/docs/a.txt", within=(*allowed, site.top)).status == 200


def test_what_is_no_file(site: Site) -> None:
    os.mkfifo(site.root / "pipe")
    site.write("a.txt")
    for path in ("/docs/pipe", "/docs/a.txt/", "/docs/a.txt/b"):
        assert site.get(path).status == 404
    (site.root / "null").symlink_to("/dev/null")
    assert site.get("/docs/null", within=("/",)).status == 404


def test_what_was_opened_counts_not_its_name(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link that is put in place of a directory between looking and opening leads nowhere either."""
    site.write("sub/secret.txt", b"harmless")
    real_open, swapped = os.open, []

    def swap_then_open(path: Any, *arguments: Any) -> int:
        if b"sub" in os.fsencode(path) and not swapped:
            swapped.append(True)
            (site.root / "sub").rename(site.root / "gone")
            (site.root / "sub").symlink_to(site.top)
        return real_open(path, *arguments)

    monkeypatch.setattr(os, "open", swap_then_open)
    assert open_below(str(site.root), (str(site.root),), (b"sub", b"secret.txt")) is None
    assert swapped


def test_nothing_stays_open(linked: Site) -> None:
    linked.write("sub/index.html")
    linked.get("/docs/real.txt")
    before = open_files(os.getpid())
    for path in (*ATTACKS, "/docs/real.txt", "/docs/sub", "/docs/sub/", "/docs/loop", "/docs/"):
        for method in ("GET", "HEAD", "POST"):
            linked.get(path, method, {"If-None-Match": "*", "Range": "bytes=0-0"}, listing=True)
    assert open_files(os.getpid()) == before


words = st.sampled_from(
    ["..", ".", "", "a", "b", "secret.txt", "%2e%2e", "..%2f", "%00", "docs", "up", "%5c..", "/"]
)
links = st.dictionaries(
    st.sampled_from(["a", "b", "a/up", "b/up", "up"]),
    st.sampled_from(["..", "../..", "a", "b", "../secret.txt", "/", "../../secret.txt", "."]),
    max_size=4,
)


@given(links, st.lists(words, max_size=6), st.sampled_from([None, "secret.txt", "a/up", "up"]))
def test_no_links_and_no_path_lead_out(
    made: dict[str, str], asked: list[str], default_file: str | None
) -> None:
    with tempfile.TemporaryDirectory() as name:
        site = Site(Path(name).resolve())
        for directory in ("a", "b"):
            if directory not in made:
                (site.root / directory).mkdir()
        for link, target in made.items():
            path = site.root / link
            if path.parent.is_dir() and not path.is_symlink() and not path.exists():
                path.symlink_to(target)
        (site.top / "marker-outside").touch()
        answer = site.get("/docs/" + "/".join(asked), listing=True, default_file=default_file)
        assert SECRET not in answer.body
        assert b"marker-outside" not in answer.body
        assert answer.status in (200, 307, 404)
