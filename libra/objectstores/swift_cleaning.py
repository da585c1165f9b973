"""Takes back what a failed upload has left."""

from collections.abc import Sequence

from libra.errors import ObjectStoreError
from libra.objectstores.retries import Deadline
from libra.objectstores.swift_sender import Sender
from libra.objectstores.swift_session import RequestFailed, SwiftSession


def remove_objects(
    session: SwiftSession, objects: Sequence[tuple[str, str]], deadline: Deadline
) -> int:
    """Remove (container, name) one by one; gives how many may be left. Stops where the store does not answer."""
    left = len(objects)

    def remove() -> None:
        nonlocal left
        for container, name in objects:
            try:
                session.delete_object(container, name)
                left -= 1
            except RequestFailed as error:
                if error.status is None:
                    return

    try:
        with Sender(session.abort) as sender:
            sender.submit(remove)
            sender.finish(deadline)
    except ObjectStoreError:
        pass  # the deadline: `left` says it
    return left
