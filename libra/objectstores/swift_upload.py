"""One upload: a small object as it is, a larger one as segments and the manifest that makes them one."""

import threading
from collections.abc import Callable, Iterator
from functools import partial

from libra.errors import ObjectStoreError
from libra.objectstores.manifests import WIDTH, Entry, Manifest, ManifestTree
from libra.objectstores.retries import Deadline
from libra.objectstores.segments import BufferPool, Segment, split_segments
from libra.objectstores.swift_sender import Sender
from libra.objectstores.swift_session import RequestFailed, SwiftSession

Send = Callable[[SwiftSession, memoryview], None]
SEGMENTS = "_segments"  # container + this: where the `swift` client puts them, too


class Upload:
    """The way of one object into an account; for one `run`. Afterwards `rest` is what a failed one may have left."""

    def __init__(
        self, container: str, name: str, pool: BufferPool, *, manifest_width: int = WIDTH
    ) -> None:
        self.size = 0
        self._container = container
        self._name = name
        self._pool = pool
        self._tree = ManifestTree(manifest_width)
        self._in_order = threading.Lock()
        self._stored: dict[int, Entry] = {}  # segments that overtook an earlier one
        self._next = 0  # the segment that comes into the tree next
        self._segments = 0
        self._manifests = 0
        self._may_be_whole = False

    def run(self, sender: Sender, blocks: Iterator[bytes], deadline: Deadline) -> None:
        """Store the blocks as one object; raises what they raise, and `ObjectStoreError`."""
        for segment in split_segments(blocks, self._pool, deadline):
            self.size += segment.buffer.size
            if segment.is_last and self._segments == 0:
                send = self._send_whole
            else:
                send = partial(self._send_segment, number=self._segments)
                self._segments += 1
            sender.submit(partial(self._send, sender, segment, send))
        sender.drain(deadline)
        if self._segments:
            sender.submit(self._send_top)
            sender.drain(deadline)

    def rest(self) -> Iterator[tuple[str, str]]:
        """Container and name of everything that may be in the account after a failure."""
        if self._may_be_whole:
            yield self._container, self._name
        for number in range(self._manifests):
            yield self._container + SEGMENTS, self._manifest_name(number)
        for number in range(self._segments):
            yield self._container + SEGMENTS, self._segment_name(number)

    @property
    def segments(self) -> int:
        """How many segments it took; 0 for an object in one piece."""
        return self._segments

    def _send(self, sender: Sender, segment: Segment, send: Send, session: SwiftSession) -> None:
        """A sender's task."""
        try:
            if not sender.failed:
                with segment.buffer.view as data:
                    send(session, data)
        finally:
            self._pool.give_back(segment.buffer)

    def _send_whole(self, session: SwiftSession, data: memoryview) -> None:
        try:
            session.put_object(self._container, self._name, data)
        except RequestFailed as error:
            self._may_be_whole = error.doubtful
            raise

    def _send_segment(self, session: SwiftSession, data: memoryview, number: int) -> None:
        name = self._segment_name(number)
        etag = session.put_object(self._container + SEGMENTS, name, data)
        entry = Entry(path=f"{self._container}{SEGMENTS}/{name}", etag=etag, size=len(data))
        with self._in_order:
            self._stored[number] = entry
            while self._next in self._stored:
                self._add(session, self._stored.pop(self._next))
                self._next += 1

    def _add(self, session: SwiftSession, entry: Entry, level: int = 0) -> None:
        """Into the tree, with every manifest that is due by that."""
        manifest = self._tree.add(entry, level)
        while manifest is not None:
            level += 1
            manifest = self._tree.add(self._send_manifest(session, manifest), level)

    def _send_manifest(self, session: SwiftSession, manifest: Manifest) -> Entry:
        name = self._manifest_name(self._manifests)
        self._manifests += 1
        container = self._container + SEGMENTS
        session.put_manifest(container, name, manifest.render(), manifest.etag)
        return Entry(path=f"{container}/{name}", etag=manifest.etag, size=manifest.size)

    def _send_top(self, session: SwiftSession) -> None:
        top = self._tree.top()
        try:
            session.put_manifest(self._container, self._name, top.render(), top.etag)
        except RequestFailed as error:
            self._may_be_whole = error.doubtful
            if error.status == 422:
                text = f"{error}; has this Swift static large objects (SLO)?"
                raise ObjectStoreError(text, error.status) from None
            raise

    def _segment_name(self, number: int) -> str:
        return f"{self._name}/{number:08d}"

    def _manifest_name(self, number: int) -> str:
        return f"{self._name}/manifest-{number:08d}"
