import logging
from collections.abc import Callable

class Daemonize:
    keep_fds: list[int]
    def __init__(
        self,
        app: str,
        pid: str,
        action: Callable[[], object],
        keep_fds: list[int] | None = ...,
        auto_close_fds: bool = ...,
        privileged_action: Callable[[], tuple[object, ...]] | None = ...,
        user: str | None = ...,
        group: str | None = ...,
        verbose: bool = ...,
        logger: logging.Logger | None = ...,
        foreground: bool = ...,
        chdir: str = ...,
    ) -> None: ...
    def start(self) -> None: ...
