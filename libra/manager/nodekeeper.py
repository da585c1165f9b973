"""Takes the marks off nodes whose time is over."""

from datetime import datetime

import structlog

from libra.manager.settle import MANAGER
from libra.usecases.nodestatus import expire_marks
from libra.usecases.services import Services

log = structlog.get_logger(__name__)

MOST_AT_ONCE = 100


class NodeKeeper:
    """`turn` is called about once a second, by one thread."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def turn(self, now: datetime) -> None:
        """Look, and bring back who is due; what is left comes with the next turn."""
        over = self._services.storage.look(lambda unit: unit.nodes.expired(now, MOST_AT_ONCE))
        if not over:
            return
        for item in expire_marks(self._services, MANAGER, over):
            log.info("a node is online again", action="expire", node=item.after.name)
