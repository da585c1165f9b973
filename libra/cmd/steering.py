"""What an order over the API does to the process that it came to."""

from collections.abc import Callable

from libra.errors import Conflict
from libra.logs import set_level
from libra.usecases.admin.daemon import Reconfiguration
from libra.usecases.services import new_id


class Steering:
    """See `libra.usecases.admin.daemon.Daemon`. `end` has the process begin to stop, and returns at once."""

    def __init__(self, end: Callable[[], None] = lambda: None) -> None:
        self._end = end
        self.id = new_id()
        self.renew: Callable[[], Reconfiguration] | None = None
        """Reads the settings again, where they are in a file; set by whoever knows how."""
        self.is_quick = False
        """Whether the devices are to be left running at the end."""

    def set_log_level(self, level: str) -> None:
        """Until the settings are read again."""
        set_level(level.lower())

    def reconfigure(self) -> Reconfiguration:
        """Raises `LibraError`."""
        if self.renew is None:
            raise Conflict("cannot read the settings again: this controller has no file of them")
        return self.renew()

    def quick_shutdown(self) -> None:
        """What is under way is answered first: the API is what stops first, and waits for that."""
        self.is_quick = True
        self._end()
