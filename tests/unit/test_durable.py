"""Files that are there whole or not at all."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from libra.durable import remove_file, replace_file, replace_files, sync_directory
from tests.support.disks import directory_of_others, full_disk, read_only


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


@pytest.mark.parametrize("data", [b"", b"new", b"x" * 5_000_000])
@pytest.mark.parametrize("old", [None, b"old", b"y" * 100_000])
def test_the_new_content_is_there_and_nothing_else(
    path: Path, old: bytes | None, data: bytes
) -> None:
    if old is not None:
        path.write_bytes(old)
    replace_file(path, data)
    assert path.read_bytes() == data
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o640])
def test_the_mode_is_the_one_asked_for_whatever_the_umask(path: Path, mode: int) -> None:
    path.touch(0o666)
    before = os.umask(0o077)
    try:
        replace_file(path, b"", mode=mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_link_is_replaced_not_followed(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"precious")
    path.symlink_to(other)
    replace_file(path, b"new")
    assert other.read_bytes() == b"precious"
    assert not path.is_symlink()


def test_a_full_disk_leaves_the_old_file_and_no_litter(path: Path) -> None:
    path.write_bytes(b"old")
    with full_disk(1000), pytest.raises(OSError, match="File too large"):
        replace_file(path, b"x" * 100_000)
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


def test_a_read_only_directory_leaves_the_old_file() -> None:
    with directory_of_others() as directory:
        path = directory / "file"
        replace_file(path, b"old", mode=0o644)
        with read_only(directory):
            with pytest.raises(PermissionError):
                replace_file(path, b"new")
            with pytest.raises(PermissionError):
                remove_file(path)
            assert path.read_bytes() == b"old"
        assert list(directory.iterdir()) == [path]


def test_a_target_that_cannot_be_replaced_leaves_no_litter(path: Path) -> None:
    (path / "x").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        replace_file(path, b"new")
    assert list(path.parent.iterdir()) == [path]


def test_several_files_at_once(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("old")
    files = {tmp_path / name: name.encode() for name in ("one", "two", "three")}
    replace_files(files, mode=0o640)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == files
    assert {path.stat().st_mode & 0o777 for path in files} == {0o640}
    replace_files({})


def test_several_files_of_which_one_cannot_be_written_leave_no_litter(tmp_path: Path) -> None:
    (tmp_path / "two" / "x").mkdir(parents=True)
    with pytest.raises(OSError):  # noqa: PT011 - the kernel's words differ
        replace_files({tmp_path / name: b"data" for name in ("one", "two", "three")})
    assert {path.name for path in tmp_path.iterdir()} <= {"one", "two"}


def test_a_missing_directory_is_told(tmp_path: Path) -> None:
    for step in (lambda p: replace_file(p, b""), remove_file, sync_directory):
        with pytest.raises(FileNotFoundError):
            step(tmp_path / "missing" / "file")


def test_removing_is_idempotent(path: Path) -> None:
    path.touch()
    remove_file(path)
    remove_file(path)
    assert not path.exists()


def test_a_reader_sees_the_old_or_the_new_never_a_part(path: Path) -> None:
    contents = [bytes([65 + number]) * size for number, size in enumerate((10, 300_000, 70_000))]
    replace_file(path, contents[0])
    done = threading.Event()

    def write() -> None:
        for number in range(100):
            replace_file(path, contents[number % 3])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while not done.is_set():
        seen.add(path.read_bytes())
    writer.join(30)
    assert seen <= set(contents)


def test_what_a_killed_process_left_is_in_nobodys_way(path: Path) -> None:
    (path.parent / ".file.new").write_text("half of somethi")
    replace_file(path, b"new", mode=0o640)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(path.parent.iterdir()) == [path]
    (path.parent / ".file.new").touch()
    remove_file(path)
    assert list(path.parent.iterdir()) == []


def test_a_process_killed_in_the_middle_leaves_the_old_or_the_new(path: Path) -> None:
    """Killed at a random moment of a loop of replacements."""
    program = (
        "import sys, pathlib; from libra.durable import replace_file\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "for n in range(10**9):\n"
        "    replace_file(path, b'%d' % (n % 10) * 50_000)\n"
        "    n or print('started', flush=True)\n"
    )
    for _ in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", program, path], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"started\n"
            process.kill()
        data = path.read_bytes()
        assert len(data) == 50_000
        assert len(set(data)) == 1
        assert {item.name for item in path.parent.iterdir()} <= {"file", ".file.new"}
