"""ARCHIVE messages, and a controller whose access log is a file of the test."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from libra.drivers.haproxy.logs import open_access_log
from libra.drivers.haproxy.names import frontend_name
from libra.drivers.noop import NoopDriver
from libra.messages.replies import passed
from libra.model.loadbalancer import LoadBalancer
from libra.objectstores.swift import SwiftStore
from libra.worker.archive import Archiver
from libra.worker.controller import LBaaSController


class FileLogDriver(NoopDriver):
    """No proxy, but its log: filtered as the HAProxy driver does it."""

    def __init__(self, log_file: Path) -> None:
        super().__init__()
        self._log_file = log_file

    def access_log(self, loadbalancer: LoadBalancer) -> AbstractContextManager[Iterator[bytes]]:
        """The lines of its frontends."""
        frontends = [frontend_name(listener.id) for listener in loadbalancer.listeners]
        return open_access_log(self._log_file, frontends)


def build_controller(
    log_file: Path, store: SwiftStore, *loadbalancers: dict[str, Any]
) -> LBaaSController:
    """It runs these load balancers already."""
    controller = LBaaSController(
        FileLogDriver(log_file), archiver=Archiver(stores={"swift": store})
    )
    reply = controller.handle({"hpcs_action": "UPDATE", "loadbalancers": list(loadbalancers)})
    assert passed(reply), reply
    return controller


def build_archive(
    endpoint: str, token: str, container: str, *loadbalancers: dict[str, str]
) -> dict[str, Any]:
    """The message."""
    return {
        "hpcs_action": "ARCHIVE",
        "hpcs_object_store_type": "swift",
        "hpcs_object_store_basepath": container,
        "hpcs_object_store_endpoint": endpoint,
        "hpcs_object_store_token": token,
        "loadbalancers": list(loadbalancers),
    }
