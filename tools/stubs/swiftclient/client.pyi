from typing import Any
from urllib.parse import ParseResult

from requests import Response, Session
from swiftclient.exceptions import ClientException as ClientException

logger_settings: dict[str, Any]

class HTTPConnection:
    parsed_url: ParseResult
    request_session: Session
    requests_args: dict[str, Any]
    def __init__(
        self,
        url: str,
        proxy: str | None = ...,
        cacert: str | None = ...,
        insecure: bool = ...,
        *,
        timeout: float | None = ...,
    ) -> None: ...
    def request(
        self, method: str, full_path: str, data: str = ..., headers: dict[str, str] = ...
    ) -> Response: ...
    def getresponse(self) -> Response: ...
    def close(self) -> None: ...

def put_object(
    url: str,
    token: str | None = ...,
    container: str | None = ...,
    name: str | None = ...,
    contents: object = ...,
    content_length: int | None = ...,
    etag: str | None = ...,
    chunk_size: int | None = ...,
    content_type: str | None = ...,
    headers: dict[str, str] | None = ...,
    http_conn: tuple[ParseResult, HTTPConnection] | None = ...,
    proxy: str | None = ...,
    query_string: str | None = ...,
    response_dict: dict[str, Any] | None = ...,
) -> str: ...
def put_container(
    url: str,
    token: str,
    container: str,
    headers: dict[str, str] | None = ...,
    http_conn: tuple[ParseResult, HTTPConnection] | None = ...,
) -> None: ...
def delete_object(
    url: str,
    token: str | None = ...,
    container: str | None = ...,
    name: str | None = ...,
    http_conn: tuple[ParseResult, HTTPConnection] | None = ...,
) -> None: ...
