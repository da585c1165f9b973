from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

class AddressMessage:
    def __getitem__(self, name: str) -> Any: ...
    def get_attr(self, name: str) -> Any: ...

class IPRoute:
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
    def get_addr(self) -> Iterable[AddressMessage]: ...
    def addr(
        self, command: str, *, index: int, address: str, prefixlen: int, **extra: int
    ) -> object: ...
