"""Takes back what a failed upload has left."""

from collections.abc import Sequence
from contextlib import suppress

from libra.errors import ObjectStoreError
from libra.objectstores.retries import Deadline
from libra.objectstores.swift_sender import Sender
from libra.objectstores.swift_session import RequestFailed, SwiftSession


def remove_objects(sender: Sender, objects: Sequence[tuple[str, str]], deadline: Deadline) -> int:
    """Remove (container, name) one by one; gives how many may be left. Stops where the store does not answer."""
    left = len(objects)

    def remove(session: SwiftSession) -> None:
        nonlocal left
        for container, name in objects:
            try:
                session.delete_object(container, name)
                left -= 1
            except RequestFailed as error:
                if error.status is None:
                    return

    with suppress(ObjectStoreError):  # the deadline: `left` says it
        sender.submit(remove)
        sender.drain(deadline)
    return left
