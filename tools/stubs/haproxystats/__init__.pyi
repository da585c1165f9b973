from collections.abc import Sequence
from datetime import datetime
from typing import Any

class HAProxyServer:
    failed: bool
    name: str
    fields: Sequence[str]
    frontends: list[HAProxyService]
    backends: list[HAProxyService]
    listeners: list[HAProxyService]
    last_update: datetime
    def __init__(
        self,
        base_url: str,
        user: str | None = ...,
        password: str | None = ...,
        verify_ssl: bool = ...,
        timeout: float = ...,
        https: bool = ...,
    ) -> None: ...
    def update(self) -> None: ...
    def to_json(self) -> str: ...

# One attribute a column: an int where all characters are digits, else a str.
class HAProxyService:
    name: str
    proxy_name: str
    listeners: list[HAProxyService]
    def __init__(self, fields: Sequence[str], values: Sequence[str], proxy_name: str) -> None: ...
    def __getattr__(self, name: str) -> Any: ...
    def __setattr__(self, name: str, value: object) -> None: ...
