"""Which workers the job servers know, and where those are: the embedded one and a real gearmand."""

from collections.abc import Iterator

import pytest

from libra.config.settings import JobServerSettings
from libra.jobs.embedded import EmbeddedJobServer
from libra.jobs.gearman import GearmanJobSource
from libra.jobs.gearman.status import count_workers, find_workers, parse_workers
from tests.support.gearmand import Gearmand
from tests.support.ports import free_port, wait_until

SECONDS = 2.0


@pytest.fixture(params=("embedded", "gearmand"))
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    if request.param == "gearmand":
        with Gearmand() as server:
            yield server.port
        return
    embedded = EmbeddedJobServer("127.0.0.1", 0)
    embedded.start()
    yield embedded.port
    embedded.stop()


def test_workers_with_their_addresses(port: int) -> None:
    server = JobServerSettings(port=port)
    nobody = JobServerSettings(port=free_port())
    sources = [GearmanJobSource([server], name) for name in ("web1", "web1", "web2")]
    try:
        wait_until(lambda: all(source.connected() for source in sources), what="three workers")
        found = find_workers([nobody, server, server], SECONDS)
        assert found == {"web1": {"127.0.0.1"}, "web2": {"127.0.0.1"}}
        assert count_workers([nobody, server], SECONDS) == {"web1": 2, "web2": 1}
    finally:
        for source in sources:
            source.close()
    assert find_workers([nobody], SECONDS) is None
    assert count_workers([nobody], SECONDS) is None


def test_lines_of_workers() -> None:
    text = "3 ::ffff:10.0.0.1 - : a b\n4 ::1 a name : b\n5 10.0.0.2 - :\n.\nmore"
    assert parse_workers(text) == {"a": {"10.0.0.1"}, "b": {"10.0.0.1", "::1"}}


@pytest.mark.parametrize("text", ["x\n.\n", "3 ::1\n"])
def test_what_is_no_answer(text: str) -> None:
    with pytest.raises(ValueError, match="not enough values"):
        parse_workers(text)
