"""A stream cut into segments that fit in memory, in buffers of which there are only so many."""

import mmap
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from libra.errors import ObjectStoreError
from libra.objectstores.retries import Deadline

# Two buffers are sent while a third is filled, and a worker with two uploads over TLS stays under 64 MiB. Each
# segment costs Swift some 20 ms of processor time, whatever its size.
SEGMENT_BYTES = 5 * 1024 * 1024
BUFFERS = 3


class Buffer:
    """Room for one segment, in pages of its own: the C library would keep freed memory for a while."""

    def __init__(self, capacity: int) -> None:
        self._pages = mmap.mmap(-1, capacity)
        self._capacity = capacity
        self.size = 0

    def append(self, data: memoryview) -> int:
        """Take what fits, and say how much that was."""
        taken = min(len(data), self._capacity - self.size)
        self._pages[self.size : self.size + taken] = data[:taken]
        self.size += taken
        return taken

    def clear(self) -> None:
        """Give the memory back to the system; every view must have been released."""
        self._pages.close()
        self._capacity = self.size = 0

    @property
    def is_full(self) -> bool:
        """True where nothing fits any more."""
        return self.size == self._capacity

    @property
    def view(self) -> memoryview:
        """What it holds, not copied."""
        return memoryview(self._pages)[: self.size]


class BufferPool:
    """All the memory that uploads of this process may take together, however many there are."""

    def __init__(self, *, count: int = BUFFERS, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._segment_bytes = segment_bytes
        self._free = threading.Semaphore(count)

    def take(self, deadline: Deadline) -> Buffer:
        """An empty buffer, to be given back; raises `ObjectStoreError` where none gets free in time."""
        if not self._free.acquire(timeout=deadline.remaining_seconds):
            raise ObjectStoreError(f"cannot store: {deadline.words}")
        return Buffer(self._segment_bytes)

    def give_back(self, buffer: Buffer) -> None:
        """Frees its memory at once, whoever still holds the empty shell."""
        buffer.clear()
        self._free.release()


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the stream; `is_last` where nothing follows. Whoever gets it gives its buffer back."""

    buffer: Buffer
    is_last: bool


def split_segments(
    blocks: Iterator[bytes], pool: BufferPool, deadline: Deadline
) -> Iterator[Segment]:
    """The stream as full segments and a last one, which may be empty only where it is the first, too."""
    buffer: Buffer | None = pool.take(deadline)
    try:
        for block in blocks:
            rest = memoryview(block)
            while rest:
                assert buffer is not None
                if buffer.is_full:
                    full, buffer = buffer, None
                    yield Segment(full, is_last=False)
                    buffer = pool.take(deadline)
                rest = rest[buffer.append(rest) :]
        assert buffer is not None
        last, buffer = buffer, None
        yield Segment(last, is_last=True)
    finally:
        if buffer is not None:
            pool.give_back(buffer)
