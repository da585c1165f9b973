import gzip
import os
from contextlib import suppress
from pathlib import Path

import pytest

from libra.drivers.haproxy.logfiles import find_log_files, open_log_files
from libra.errors import DriverError


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ([], []),
        (["x.log"], ["x.log"]),
        (
            ["x.log.1", "x.log.10.gz", "x.log", "x.log.2.gz", "x.log.9.gz"],
            ["x.log.10.gz", "x.log.9.gz", "x.log.2.gz", "x.log.1", "x.log"],
        ),
        (
            ["x.log-20261121", "x.log", "x.log-20261119.gz", "x.log-20261120.gz"],
            ["x.log-20261119.gz", "x.log-20261120.gz", "x.log-20261121", "x.log"],
        ),
        (
            ["x.log-2026112104", "x.log-2026112023.gz", "x.log-20261121"],
            ["x.log-2026112023.gz", "x.log-20261121", "x.log-2026112104"],
        ),
        (["x.log.20261121", "x.log.20261120"], ["x.log.20261120", "x.log.20261121"]),
        (
            ["x.log-20261121-1795238760", "x.log-20261121-1795235160.gz"],
            ["x.log-20261121-1795235160.gz", "x.log-20261121-1795238760"],
        ),
        (["x.log.1", "x.log-20261121", "x.log"], ["x.log-20261121", "x.log.1", "x.log"]),
        # logrotate at work: x.log.1.gz is only half written
        (["x.log.1", "x.log.1.gz", "x.log"], ["x.log.1", "x.log"]),
        (["x.log.1.zst", "x.log.old", "x.log.1.gz.tmp", "y.log", "ax.log", "x.log~", "x.log."], []),
    ],
)
def test_the_files_of_a_log_oldest_first(names: list[str], found: list[str]) -> None:
    assert find_log_files(names, "x.log") == found


def test_only_whole_lines_count(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_bytes(b"one\ntwo\nthr")
    (tmp_path / "x.log.1").write_bytes(b"no end of line in sight" * 10_000)
    with open_log_files(log) as files:
        assert [(file.path.name, file.size) for file in files] == [("x.log.1", 0), ("x.log", 8)]


def test_a_line_end_far_from_the_end_is_found(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_bytes(b"one\n" + b"x" * 300_000)
    with open_log_files(log) as files:
        assert files[0].size == 4


def test_no_file_is_no_error(tmp_path: Path) -> None:
    with open_log_files(tmp_path / "x.log") as files:
        assert files == []
    with open_log_files(tmp_path / "no" / "such" / "x.log") as files:
        assert files == []


def test_what_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.log").mkdir()
    os.mkfifo(tmp_path / "y.log")
    for name in ("x.log", "y.log"):
        with (
            pytest.raises(DriverError, match=rf"^cannot read the access log .*{name}: "),
            open_log_files(tmp_path / name),
        ):
            pass
    with (
        pytest.raises(DriverError, match="Not a directory"),
        open_log_files(tmp_path / "y.log" / "z.log"),
    ):
        pass


def open_below(directory: Path) -> list[Path]:
    """Files below the directory that this process holds open; others come and go with its threads."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found.append(entry.readlink())
    return [path for path in found if path.is_relative_to(directory)]


def test_all_is_closed_afterwards(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_bytes(b"one\n")
    (tmp_path / "x.log.1.gz").write_bytes(gzip.compress(b"zero\n"))
    with open_log_files(tmp_path / "x.log") as files:
        assert [file.compressed for file in files] == [True, False]
        assert len(open_below(tmp_path)) == 2
    assert open_below(tmp_path) == []


def test_a_rotation_between_looking_and_opening_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Renamed in the middle, the log would be read as x.log.1 while the new x.log hides what came since."""
    log = tmp_path / "x.log"
    log.write_bytes(b"old\n")
    real_open, rotations = os.open, iter([True])

    def open_and_rotate(path: Path, *args: int) -> int:
        if Path(path) == log and next(rotations, False):
            log.rename(tmp_path / "x.log.1")
            log.write_bytes(b"new\n")
        return real_open(path, *args)

    monkeypatch.setattr(os, "open", open_and_rotate)
    with open_log_files(log) as files:
        assert [file.path.name for file in files] == ["x.log.1", "x.log"]
        assert [os.pread(file.fd, 10, 0) for file in files] == [b"old\n", b"new\n"]
