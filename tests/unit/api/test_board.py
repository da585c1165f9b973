"""What is known of nodes while the database is away, and what is seen of others' changes."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from libra.api.board import NodeBoard
from libra.api.probes import answer_probe
from libra.errors import StorageUnavailable
from libra.manager.settle import MANAGER
from libra.model.nodestatus import Mark, NodeStatus
from libra.storage.sql import SqlStorage
from libra.usecases.nodes import create_node
from libra.usecases.nodestatus import set_status
from libra.usecases.services import Services
from libra.vault import open_vault
from tests.support.ports import wait_until
from tests.support.storages import lay_out, migrated

OFFLINE = Mark(status=NodeStatus.OFFLINE)


class Away(SqlStorage):
    """A storage that can be away."""

    def __init__(self, real: SqlStorage) -> None:
        self._real = real
        self.is_away = False
        self.looks = 0

    def look(self, read: Callable[[Any], Any]) -> Any:
        self.looks += 1
        if self.is_away:
            raise StorageUnavailable("cannot use the database: it is away")
        return self._real.look(read)


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    with migrated(lay_out(tmp_path)) as storage:
        yield Services(storage=storage, sealer=open_vault(tmp_path / "key"))


@pytest.fixture
def board(services: Services) -> Iterator[tuple[NodeBoard, Away]]:
    away = Away(services.storage)  # type: ignore[arg-type]
    board = NodeBoard(replace(services, storage=away))
    yield board, away
    board.stop()


def status(board: NodeBoard) -> int:
    return answer_probe(board, "", b"node=a").status_code


def test_what_was_known_stays(services: Services, board: tuple[NodeBoard, Away]) -> None:
    create_node(services, MANAGER, {"name": "a"})
    known, away = board
    away.is_away = True
    assert status(known) == 503  # never read
    known.start()
    assert status(known) == 503
    away.is_away = False
    wait_until(lambda: status(known) == 200, timeout=60, what="the first reading")
    away.is_away = True
    looks = away.looks
    wait_until(lambda: away.looks >= looks + 3, timeout=60, what="looks in vain")
    assert status(known) == 200
    set_status(services, MANAGER, {"a": OFFLINE})
    known.refresh_quietly()
    assert status(known) == 200
    away.is_away = False
    wait_until(lambda: status(known) == 503, timeout=2, what="what was missed")


def test_it_is_known_when_it_starts_and_others_changes_are_seen(
    services: Services, board: tuple[NodeBoard, Away]
) -> None:
    create_node(services, MANAGER, {"name": "a"})
    known, _ = board
    known.start()
    assert status(known) == 200
    set_status(services, MANAGER, {"a": OFFLINE})
    wait_until(lambda: status(known) == 503, timeout=1, what="the mark")
