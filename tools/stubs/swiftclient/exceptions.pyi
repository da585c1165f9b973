from requests import Response

class ClientException(Exception):
    http_status: int | None
    http_reason: str
    http_response_content: bytes | str
    http_response_headers: dict[str, str] | None
    @classmethod
    def from_response(
        cls, resp: Response, msg: str | None = ..., body: bytes | None = ...
    ) -> ClientException: ...
