from collections.abc import Callable, Iterable
from typing import Any

class AuthProtocol:
    def __init__(self, app: Callable[..., Iterable[bytes]], conf: dict[str, Any]) -> None: ...
    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., object]
    ) -> Iterable[bytes]: ...
