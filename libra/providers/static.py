"""An inventory: hosts that somebody else keeps running. To boot one is to begin to use it."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from pydantic import Field, TypeAdapter, ValidationError

from libra.config.section import Section
from libra.config.types import FunctionName
from libra.config.types import Host as HostName
from libra.errors import ProviderError
from libra.providers.base import Host

if TYPE_CHECKING:
    from libra.config.settings import Settings


class InventoryHost(Section):
    """One line of the inventory."""

    name: FunctionName
    address: HostName


class Inventory(Section):
    """The file: hosts by the name of their device pool."""

    pools: dict[str, tuple[InventoryHost, ...]] = Field(default_factory=dict)


def create_provider(settings: "Settings", pool: str) -> "StaticProvider":
    """Reads nothing yet."""
    return StaticProvider(settings.providers.inventory, pool)


class StaticProvider:
    """See `Provider`. The file is read anew each time, so that it can grow."""

    destroys = False
    ends_with_controller = False

    def __init__(self, inventory: Path, pool: str) -> None:
        self._path = inventory
        self._pool = pool

    def choose(self, taken: Collection[str]) -> Host | None:
        """In the file's order."""
        return next((host for host in self.list() if host.name not in taken), None)

    def boot(self, host: Host) -> None:
        """It runs already, or its operator is about to start it."""

    def shutdown(self, name: str) -> None:
        """It is its operator's."""

    def list(self) -> list[Host]:
        """All of the pool."""
        inventory = self._load()
        return [
            Host(name=item.name, address=str(item.address))
            for item in inventory.pools.get(self._pool, ())
        ]

    def _load(self) -> Inventory:
        try:
            given = yaml.safe_load(self._path.read_text())
            return TypeAdapter(Inventory).validate_python(given or {})
        except OSError as error:
            raise ProviderError(
                f"cannot read the inventory {self._path}: {error.strerror}"
            ) from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ProviderError(f"cannot read the inventory {self._path}: it is no YAML") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ProviderError(
                f"cannot use the inventory {self._path}: {where}: {first['msg']}"
            ) from error
