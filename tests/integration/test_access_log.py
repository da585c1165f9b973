"""The access log through a real grep: exact, bounded, and gone without a trace when nobody wants it any more."""

import errno
import gzip
import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

import libra.drivers.haproxy.grep
from libra.drivers.haproxy import logs
from libra.drivers.haproxy.logs import open_access_log
from libra.errors import DriverError
from tests.support.accesslogs import LINES, MINE, Line, build_line
from tests.support.disks import directory_of_others, no_root
from tests.support.ports import wait_until

OTHER = "fe-16"


@pytest.fixture(params=["grep", "grep without splice", "no grep"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With grep, and with what stands in for it or for the quick way of feeding it."""
    if request.param == "no grep":
        monkeypatch.setattr(logs, "find_grep", lambda: None)
    if request.param == "grep without splice":
        monkeypatch.setattr(os, "splice", no_splice)
    return str(request.param)


def no_splice(*_: object, **__: object) -> int:
    raise OSError(errno.EINVAL, "Invalid argument")


def read(log: Path, *frontends: str) -> bytes:
    with open_access_log(log, frontends or (MINE,)) as blocks:
        taken = list(blocks)
    data = b"".join(taken)
    assert data[-1:] in (b"", b"\n"), "it ends with a whole line, though its blocks need not"
    return data


def children() -> list[str]:
    return Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()


@pytest.fixture(autouse=True)
def nothing_is_left() -> object:
    before = set(children())
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    yield
    assert set(children()) <= before
    assert not [one for one in threading.enumerate() if one.name == "log-feeder"]
    assert len(list(Path("/proc/self/fd").iterdir())) <= descriptors


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(LINES)
def test_the_frontend_field_decides(way: str, tmp_path: Path, lines: list[Line]) -> None:
    log = tmp_path / "x.log"
    log.write_bytes(b"".join(line.text for line in lines))
    assert read(log) == b"".join(line.text for line in lines if line.is_mine)


def test_all_files_oldest_first(way: str, tmp_path: Path) -> None:
    names = ["x.log.3.gz", "x.log.2.gz", "x.log.1", "x.log"]
    numbers = iter(range(10_000))
    wanted = []
    for name in names:
        lines = [
            build_line(MINE if n % 3 else OTHER, n, syslog=n % 2 == 0)
            for n in (next(numbers) for _ in range(2000))
        ]
        wanted += [line for line in lines if b" fe-15 " in line]
        data = b"".join(lines)
        (tmp_path / name).write_bytes(gzip.compress(data, 1) if name.endswith(".gz") else data)
    assert read(tmp_path / "x.log") == b"".join(wanted)


def test_several_frontends(way: str, tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    lines = [build_line(name, number) for number, name in enumerate(["fe-a", "fe-b", "fe-c"] * 10)]
    log.write_bytes(b"".join(lines))
    assert read(log, "fe-a", "fe-c") == b"".join(line for line in lines if b" fe-b " not in line)


@pytest.mark.parametrize(
    "content", [None, b"", b"\n", build_line(OTHER, 1), build_line(MINE, 1)[:-1]]
)
def test_no_line_is_an_empty_log(way: str, tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "x.log").write_bytes(content)
    assert read(tmp_path / "x.log") == b""


def test_binary_rubbish_does_no_harm(way: str, tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    mine = build_line(MINE, 1, tail="\x00\xff")
    log.write_bytes(os.urandom(300_000) + b"\n" + mine + b"\x00" * 5000 + b"\n" + mine)
    assert read(log).endswith(mine + mine)


def test_what_is_written_meanwhile_is_left_out(way: str, tmp_path: Path) -> None:
    """And what is rotated or removed meanwhile is not."""
    log = tmp_path / "x.log"
    before = b"".join(build_line(MINE, number) for number in range(50_000))
    log.write_bytes(before + build_line(MINE, 7)[:50])
    with open_access_log(log, [MINE]) as blocks:
        with log.open("ab") as more:
            more.write(build_line(MINE, 7)[50:] + build_line(MINE, 8) * 1000)
        log.rename(tmp_path / "x.log.1")
        log.write_bytes(build_line(MINE, 9))
        (tmp_path / "x.log.1").unlink()
        assert b"".join(blocks) == before


def test_a_log_cut_short_meanwhile_is_an_error(way: str, tmp_path: Path) -> None:
    """As by logrotate's copytruncate: a PASS would hide that lines are missing."""
    log = tmp_path / "x.log"
    log.write_bytes(b"".join(build_line(MINE, number) for number in range(100_000)))
    with open_access_log(log, [MINE]) as blocks:
        next(blocks)
        os.truncate(log, 100)
        with pytest.raises(DriverError, match="was cut short while it was read"):
            list(blocks)


def test_a_damaged_rotated_file_is_an_error(way: str, tmp_path: Path) -> None:
    (tmp_path / "x.log.2.gz").write_bytes(gzip.compress(build_line(MINE, 1) * 1000)[:-9])
    with pytest.raises(DriverError, match=r"^cannot read the access log .*/x\.log\.2\.gz: "):
        read(tmp_path / "x.log")


def test_a_file_that_may_not_be_read_is_an_error(way: str) -> None:
    """Also where the others may be: a PASS would hide that lines are missing."""
    with directory_of_others() as directory:
        (directory / "x.log").write_bytes(build_line(MINE, 2))
        old = directory / "x.log.1"
        old.write_bytes(build_line(MINE, 1))
        old.chmod(0)
        with no_root(), pytest.raises(DriverError, match=r"access log .*/x\.log\.1: Permission"):
            read(directory / "x.log")


def test_leaving_early_ends_everything(way: str, tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_bytes(build_line(MINE, 1) * 100_000)
    with open_access_log(log, [MINE]) as blocks:
        next(blocks)


def test_a_grep_that_is_killed_is_an_error(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_bytes(build_line(MINE, 1) * 100_000)
    before = set(children())
    with open_access_log(log, [MINE]) as blocks:
        next(blocks)
        (child,) = set(children()) - before
        os.kill(int(child), signal.SIGKILL)
        with pytest.raises(DriverError, match="grep ended with -9"):
            list(blocks)


def test_a_grep_that_complains_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "x.log"
    log.write_bytes(build_line(MINE, 1) * 100_000)
    monkeypatch.setattr(logs, "find_grep", lambda: ("sh", "-c", "echo no\x07 memory >&2; exit 2"))
    with pytest.raises(DriverError, match=r"grep ended with 2 and said 'no\\x07 memory'$"):
        read(log)


def test_a_child_that_hangs_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "x.log"
    log.write_bytes(build_line(MINE, 1) * 100_000)
    monkeypatch.setattr(libra.drivers.haproxy.grep, "STALL_SECONDS", 0.2)
    monkeypatch.setattr(logs, "find_grep", lambda: ("sh", "-c", "exec sleep 60"))
    with pytest.raises(DriverError, match=r"nothing moved for 0\.2 s"):
        read(log)


def test_ctrl_c_is_not_for_the_child(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_bytes(build_line(MINE, 1) * 100_000)
    before = set(children())
    with open_access_log(log, [MINE]) as blocks:
        next(blocks)
        wait_until(lambda: set(children()) - before, what="the child")
        (child,) = set(children()) - before
        assert os.getpgid(int(child)) != os.getpgid(0)


def test_the_two_ways_agree_on_a_large_mixed_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "x.log"
    names = [MINE, OTHER, f"{MINE}~", "fe-tcp"]
    lines = [
        build_line(names[n % 4], n, syslog=n % 3 == 0, tail=f"?] {MINE} ") for n in range(60_000)
    ]
    log.write_bytes(b"".join(lines))
    with_grep = read(log)
    monkeypatch.setattr(logs, "find_grep", lambda: None)
    assert read(log) == with_grep
    assert with_grep.count(b"\n") == 30_000
    found = subprocess.run(["grep", "-c", f"] {MINE} ", log], capture_output=True, check=True)
    assert int(found.stdout) == 60_000, "a fixed text alone would take them all"
