"""Which services a device answers itself, from which directories, and what a device without a server for them says."""

from dataclasses import replace
from pathlib import Path

import pytest

from libra.errors import Forbidden, Invalid, ServingError
from libra.model.loadbalancer import Desired
from libra.model.webservice import (
    Json,
    Local,
    NodeInfo,
    Redirect,
    Static,
    WebService,
)
from libra.worker.web import MemoryServing, NoServing, check_directory, local_services
from tests.support.serving import build_web

JSON = Json(path="/a", text="1")
FILES = Static(path="/f", directory="/srv", cache_seconds=None)
INFO = NodeInfo(path="/i")
ELSEWHERE = Redirect(path="/r", url="https://a.example", code=302)


def paths(services: dict[str, Local]) -> set[str]:
    return {service.path for service in services.values()}


def test_what_the_proxy_cannot_answer_is_answered_here_whether_or_not_it_listens() -> None:
    """Who is promoted, or enabled again, is asked at once."""
    desired = build_web(JSON, ELSEWHERE, FILES, INFO)
    (owner,) = desired.loadbalancers
    (listener,) = owner.listeners
    standby = replace(owner, listeners=(replace(listener, enabled=False),))
    for one in (
        desired,
        replace(desired, suspended=True),
        replace(desired, loadbalancers=(standby,)),
    ):
        assert paths(local_services(one)) == {"/a", "/f", "/i"}
    plain = replace(owner, listeners=(replace(listener, services=None),))
    assert local_services(replace(desired, loadbalancers=(plain,))) == {}


@pytest.mark.parametrize("service", [JSON, FILES, INFO])
def test_a_device_without_a_server_says_what_it_lacks(service: WebService) -> None:
    for ask in (NoServing().preview, NoServing().prepare):
        with pytest.raises(
            ServingError, match=rf"'{service.path}'.*pip install 'libra\[serving\]'"
        ):
            ask(build_web(ELSEWHERE, service))


def test_a_device_without_a_server_takes_what_needs_none() -> None:
    serving = NoServing()
    serving.preview(build_web(ELSEWHERE))
    serving.prepare(build_web(ELSEWHERE))
    serving.settle(Desired())


def test_what_was_answered_is_answered_until_the_proxy_has_changed() -> None:
    serving = MemoryServing()
    serving.prepare(build_web(JSON))
    serving.settle(build_web(JSON))
    changed = Json(path="/a", text="2")
    serving.prepare(build_web(changed, INFO))
    assert paths(serving.services) == {"/a", "/i"}
    assert JSON in serving.services.values()
    serving.settle(build_web(changed, INFO))
    assert changed in serving.services.values()
    serving.settle(Desired())
    assert serving.services == {}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """`www` may be given away; `www/out` leads out of it, `in` into it."""
    (tmp_path / "www" / "a").mkdir(parents=True)
    (tmp_path / "www-not").mkdir()
    (tmp_path / "www" / "file").write_text("")
    (tmp_path / "www" / "out").symlink_to(tmp_path / "www-not")
    (tmp_path / "in").symlink_to(tmp_path / "www" / "a")
    return tmp_path


@pytest.mark.parametrize("directory", ["www", "www/", "www/a", "www/../www/a", "in"])
def test_what_is_within_may_be_given_away(tree: Path, directory: str) -> None:
    check_directory(f"{tree}/{directory}", (tree / "other", tree / "www"))


@pytest.mark.parametrize("directory", ["", "www-not", "www/..", "www/../www-not", "www/out"])
def test_what_is_not_within_may_not_wherever_links_lead(tree: Path, directory: str) -> None:
    with pytest.raises(Forbidden, match=r"serving\.directories of this device allows"):
        check_directory(f"{tree}/{directory}", (tree / "www",))


def test_by_default_nothing_may(tree: Path) -> None:
    with pytest.raises(Forbidden, match="allows nothing"):
        check_directory(str(tree / "www"), ())


@pytest.mark.parametrize("directory", ["www/none", "www/file"])
def test_what_is_no_directory_cannot(tree: Path, directory: str) -> None:
    with pytest.raises(Invalid, match="no such directory"):
        check_directory(f"{tree}/{directory}", (tree / "www",))
