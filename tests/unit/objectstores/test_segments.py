from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.errors import ObjectStoreError
from libra.objectstores.retries import Deadline
from libra.objectstores.segments import BufferPool, split_segments

SOON = Deadline(timedelta(minutes=1))
PASSED = Deadline(timedelta(0))


def cut(blocks: list[bytes], pool: BufferPool) -> list[tuple[bytes, bool]]:
    found = []
    for segment in split_segments(iter(blocks), pool, SOON):
        with segment.buffer.view as view:
            found.append((bytes(view), segment.is_last))
        pool.give_back(segment.buffer)
    return found


@given(st.lists(st.binary(max_size=20)), st.integers(1, 8))
def test_the_stream_comes_out_as_it_went_in(blocks: list[bytes], size: int) -> None:
    pool = BufferPool(count=1, segment_bytes=size)
    segments = cut(blocks, pool)
    assert b"".join(data for data, _ in segments) == b"".join(blocks)
    assert [is_last for _, is_last in segments] == [False] * (len(segments) - 1) + [True]
    assert all(len(data) == size for data, _ in segments[:-1])
    assert segments[-1][0] or len(segments) == 1
    assert pool.take(PASSED) is not None, "a buffer was not given back"


def test_a_source_that_fails_gives_its_buffer_back() -> None:
    def source() -> Iterator[bytes]:
        yield b"abc"
        raise RuntimeError("gone")

    pool = BufferPool(count=1, segment_bytes=10)
    with pytest.raises(RuntimeError, match="gone"):
        list(split_segments(source(), pool, SOON))
    assert pool.take(PASSED) is not None


def test_no_more_buffers_than_the_pool_has() -> None:
    pool = BufferPool(count=2, segment_bytes=1)
    segments = split_segments(iter([b"abc"]), pool, PASSED)
    held = [next(segments), next(segments)]
    with pytest.raises(ObjectStoreError, match=r"^cannot store: "):
        next(segments)
    pool.give_back(held[0].buffer)
    assert pool.take(PASSED) is not None
