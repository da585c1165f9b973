"""The web services that the device answers itself: kept answered by a server beside the proxy."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from libra.drivers.haproxy.names import backend_name, frontend_name
from libra.errors import Forbidden, Invalid, ServingError
from libra.model.loadbalancer import Desired, LoadBalancer
from libra.model.webservice import Json, Local, Metrics, NodeInfo, Static, service_key

Services = Mapping[str, Local]
Directories = tuple[Path, ...]


class WebServer(Protocol):
    """Answers what the proxy sends it. One thread at a time."""

    def preview(self, desired: Desired) -> None:
        """Changes nothing; raises `LibraError` where this host cannot or may not answer what is new in it."""

    def prepare(self, desired: Desired) -> None:
        """Before the proxy sends requests for these: they are answered, and still all that were before, as before.

        Raises `ServingError`.
        """

    def settle(self, desired: Desired) -> None:
        """When the proxy is as desired: only these are answered, by their new definitions. Raises `ServingError`."""

    def ensure(self) -> None:
        """Answer again, where that ended by itself; called every few seconds. Raises `ServingError`."""

    def configure(self, directories: Directories) -> None:
        """From where files may be served from now on: `prepare` and `settle` bring it live."""

    def close(self) -> None:
        """Give back what this object holds; requests are answered on."""

    def stop(self) -> None:
        """Answer nothing any more; raises `ServingError`."""


class NoServing:
    """Where what it takes is not installed: refuses what needs it, and nothing else."""

    def preview(self, desired: Desired) -> None:
        """Raises `ServingError`."""
        self.prepare(desired)

    def prepare(self, desired: Desired) -> None:
        """Raises `ServingError`."""
        if services := local_services(desired):
            path = next(iter(services.values())).path
            raise ServingError(
                f"cannot answer the web service on '{path}': this device has no server for json, static and nodeinfo;"
                " pip install 'libra[serving]' there"
            )

    def settle(self, desired: Desired) -> None:
        """Nothing is answered anyway."""

    def ensure(self) -> None:
        """Nothing either."""

    def configure(self, directories: Directories) -> None:
        """No files are served."""

    def close(self) -> None:
        """Nothing is held."""

    def stop(self) -> None:
        """Nothing runs."""


class MemoryServing:
    """Believes whatever it is told: for tests, and beside a driver without a proxy. `services` is what it answers."""

    def __init__(self) -> None:
        self.services: dict[str, Local] = {}

    def preview(self, desired: Desired) -> None:
        """Everything can be answered."""

    def prepare(self, desired: Desired) -> None:
        """Both."""
        self.services = {**local_services(desired), **self.services}

    def settle(self, desired: Desired) -> None:
        """Only these."""
        self.services = dict(local_services(desired))

    def ensure(self) -> None:
        """It never ends."""

    def configure(self, directories: Directories) -> None:
        """No files are served."""

    def close(self) -> None:
        """Nothing is held."""

    def stop(self) -> None:
        """Nothing runs."""


def local_services(desired: Desired) -> dict[str, Local]:
    """By their keys. What is suspended, or disabled, is ready to be asked."""
    return {
        service_key(listener.id, service.path): _filled(service, loadbalancer)
        for loadbalancer in desired.loadbalancers
        for listener in loadbalancer.listeners
        for service in listener.services or ()
        if isinstance(service, Json | Static | NodeInfo | Metrics)
    }


def _filled(service: Local, loadbalancer: LoadBalancer) -> Local:
    """Metrics are of their own load balancer only."""
    if not isinstance(service, Metrics):
        return service
    listeners = ((frontend_name(item.id), "listener", item.id) for item in loadbalancer.listeners)
    pools = ((backend_name(item.id), "pool", item.id) for item in loadbalancer.pools)
    return replace(service, proxies=(*listeners, *pools))


def check_directory(directory: str, within: Directories) -> None:
    """Raises `Forbidden` for one that this host does not give away, `Invalid` where it cannot be read."""
    real = Path(directory).resolve()
    if not any(real.is_relative_to(one.resolve()) for one in within):
        allowed = ", ".join(map(str, within)) or "nothing"
        raise Forbidden(
            f"cannot serve files from '{directory}': serving.directories of this device allows {allowed}"
        )
    if not real.is_dir():
        raise Invalid(f"cannot serve files from '{directory}': there is no such directory")
    if not os.access(real, os.R_OK | os.X_OK):
        raise Invalid(f"cannot serve files from '{directory}': the worker's user may not read it")
