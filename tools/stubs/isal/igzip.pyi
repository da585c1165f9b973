import gzip
from typing import IO

class IGzipFile(gzip.GzipFile):
    def __init__(
        self,
        filename: str | None = ...,
        mode: str | None = ...,
        compresslevel: int = ...,
        fileobj: IO[bytes] | None = ...,
        mtime: float | None = ...,
    ) -> None: ...
