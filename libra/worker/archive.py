"""Carries out ARCHIVE: the log of a load balancer, compressed, into an object store."""

from collections.abc import Mapping

from libra.drivers.base import LoadBalancerDriver
from libra.errors import Invalid
from libra.messages.codec import JsonObject
from libra.messages.requests import Archive
from libra.model.loadbalancer import Desired
from libra.objectstores.base import ObjectStore


class Archiver:
    """Uploads logs; `stores` by the message's `hpcs_object_store_type`."""

    def __init__(self, stores: Mapping[str, ObjectStore]) -> None:
        self._stores = stores

    def archive(self, request: Archive, desired: Desired, driver: LoadBalancerDriver) -> JsonObject:
        """The fields to add to the reply; raises `LibraError`."""
        raise Invalid(f"cannot archive: object store type '{request.store_type}' is not known")
