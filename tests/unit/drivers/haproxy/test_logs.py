import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.drivers.haproxy.logblocks import LONGEST_LINE, read_blocks, whole_lines
from libra.drivers.haproxy.logfiles import open_log_files
from libra.drivers.haproxy.logs import filter_lines
from libra.errors import DriverError
from tests.support.accesslogs import LINES, MINE, Line


@given(LINES)
def test_without_grep_the_same_lines_are_found(lines: list[Line]) -> None:
    block = b"".join(line.text for line in lines)
    assert b"".join(filter_lines([block], [MINE])) == b"".join(
        line.text for line in lines if line.is_mine
    )


@given(st.lists(st.binary(max_size=30)))
def test_blocks_end_where_lines_end(chunks: list[bytes]) -> None:
    everything = b"".join(chunks)
    blocks = list(whole_lines(chunks))
    assert b"".join(blocks) == everything[: everything.rfind(b"\n") + 1]
    assert all(block.endswith(b"\n") for block in blocks)


def test_an_endless_line_does_not_fill_the_memory() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"one\n"
        for _ in range(64):
            yield b"x" * 65536
        yield b"\ntwo\n"

    blocks = b"".join(whole_lines(chunks()))
    assert len(blocks) <= LONGEST_LINE + 100
    assert blocks.splitlines()[0] == b"one"
    assert blocks.splitlines()[-1] == b"two"


def read_all(log: Path) -> bytes:
    with open_log_files(log) as files:
        return b"".join(block for file in files for block in read_blocks(file))


def test_rotated_and_compressed_files_come_first(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    (tmp_path / "x.log.2.gz").write_bytes(gzip.compress(b"1\n") + gzip.compress(b"2\nhal"))
    (tmp_path / "x.log.1").write_bytes(b"3\nhal")
    log.write_bytes(b"4\nhal")
    assert read_all(log) == b"1\n2\n3\n4\n"


@pytest.mark.parametrize("damage", ["cut", "garbled", "no gzip"])
def test_a_damaged_archive_is_an_error(tmp_path: Path, damage: str) -> None:
    whole = gzip.compress(b"line\n" * 1000)
    data = {"cut": whole[:-6], "garbled": whole[:12] + b"\xff" * 9 + whole[21:], "no gzip": b"x"}
    (tmp_path / "x.log.1.gz").write_bytes(data[damage])
    with pytest.raises(DriverError, match=r"^cannot read the access log .*/x\.log\.1\.gz: "):
        read_all(tmp_path / "x.log")


def test_a_file_cut_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_bytes(b"line\n" * 200_000)
    with open_log_files(log) as files:
        blocks = read_blocks(files[0])
        next(blocks)
        log.write_bytes(b"")
        with pytest.raises(DriverError, match="was cut short while it was read"):
            list(blocks)


def test_what_comes_later_is_left_out(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_bytes(b"1\n")
    with open_log_files(log) as files:
        with log.open("ab") as more:
            more.write(b"2\n")
        log.rename(tmp_path / "x.log.1")
        log.write_bytes(b"3\n")
        (tmp_path / "x.log.1").unlink()
        assert b"".join(read_blocks(files[0])) == b"1\n"
