"""One process at a time."""

import os
from pathlib import Path

import pytest

from libra.daemon.lockfile import LockFile
from libra.errors import Conflict, StateError


def test_the_second_is_told_who_holds_it(tmp_path: Path) -> None:
    with LockFile(tmp_path / "lock") as held:
        held.write_pid()
        with pytest.raises(Conflict, match=f"^cannot lock .*/lock: .* pid {os.getpid()}$"):
            LockFile(tmp_path / "lock")
    LockFile(tmp_path / "lock").close()


def test_a_longer_pid_of_the_last_holder_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("123456789012\n")
    with LockFile(tmp_path / "lock") as held:
        held.write_pid()
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_locking_alone_changes_no_byte(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("4711\n")
    LockFile(tmp_path / "lock").close()
    assert (tmp_path / "lock").read_text() == "4711\n"


def test_its_directory_is_made_with_the_mode_asked_for(tmp_path: Path) -> None:
    LockFile(tmp_path / "state" / "lock", directory_mode=0o700).close()
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "victim")
    with pytest.raises(StateError, match=r"^cannot write"):
        LockFile(tmp_path / "lock")
    assert not (tmp_path / "victim").exists()


def test_a_file_where_the_directory_should_be(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(StateError, match=r"^cannot make the directory .*/state: "):
        LockFile(tmp_path / "state" / "lock")
