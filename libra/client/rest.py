"""Talks to the REST API: answers are objects, failures are sentences."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from libra.client.places import default_state_dir
from libra.client.trust import trust_for
from libra.errors import Invalid, JobServerUnavailable, LibraError, NotFound

Json = dict[str, Any]
DEFAULT_URL = "http://127.0.0.1:8111"
URL, TOKEN, TOKEN_FILE = "LIBRA_API_URL", "LIBRA_API_TOKEN", "LIBRA_API_TOKEN_FILE"
TIMEOUT_SECONDS = 60.0
MOST_WORDS = 1000  # characters of a sentence that is no JSON


class Refused(LibraError):
    """The API said no, with these words; `answer` is all that it said, where that is an object."""

    def __init__(self, words: str, answer: Json | None = None) -> None:
        super().__init__(words)
        self.answer = answer or {}


class NotNow(Refused):
    """It, or a proxy in front of it, may say something else in a moment."""


class Rest:
    """One API, one token. Every failure is a sentence."""

    def __init__(self, url: str, token: str, transport: httpx.BaseTransport | None = None) -> None:
        self._client = httpx.Client(
            base_url=url,
            headers={"X-Auth-Token": token},
            timeout=TIMEOUT_SECONDS,
            transport=transport,
            trust_env=False,
            verify=trust_for(url),
        )
        self._url = url

    def close(self) -> None:
        """Let go of its connections."""
        self._client.close()

    def call(self, method: str, path: str, body: Any = None, **params: Any) -> Json:
        """The answer's object, empty where it has none. Raises `NotFound`, `Refused`, `JobServerUnavailable`."""
        return self.call_with({}, method, path, body, **params)

    def call_with(
        self, headers: Mapping[str, str], method: str, path: str, body: Any = None, **params: Any
    ) -> Json:
        """As `call`, with these headers, too."""
        response = self._ask(headers, method, path, body, params)
        answer: Json = response.json() if response.content else {}
        return answer

    def read_text(self, path: str, **params: Any) -> str:
        """An answer that is a text; raises as `call`."""
        return self._ask({"Accept": "text/plain"}, "GET", path, None, params).text

    def _ask(
        self, headers: Mapping[str, str], method: str, path: str, body: Any, params: Json
    ) -> httpx.Response:
        try:
            response = self._client.request(
                method, path, json=body, params=params or None, headers=headers
            )
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        _check(response)
        return response

    @contextmanager
    def stream(
        self, path: str, headers: Mapping[str, str], **params: Any
    ) -> Iterator[Iterator[str]]:
        """The lines of an answer that goes on; raises as `call`, and `NotNow`, also while they are read."""
        try:
            with self._client.stream("GET", path, headers=headers, params=params) as response:
                if response.is_error:
                    response.read()
                    _check(response)
                yield response.iter_lines()
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: httpx.HTTPError) -> JobServerUnavailable:
        words = str(error) or type(error).__name__
        return JobServerUnavailable(f"cannot reach the API at {self._url}: {words}")

    def find(self, path: str, plural: str, key: str) -> Json:
        """By id or by name; raises `NotFound`, and `Invalid` for a name that several have."""
        for name in ("id", "name"):
            rows: list[Json] = self.call("GET", path, **{name: key})[plural]
            found = [row for row in rows if row[name] == key]
            if len(found) > 1:
                raise Invalid(f"cannot choose: {len(found)} are named {key!a}; use an id")
            if found:
                return found[0]
        raise NotFound(f"cannot find {key!a} among the {plural}")


def open_rest(url: str | None, token_file: Path | None, environ: Mapping[str, str]) -> Rest:
    """From options, then the environment, then what `libra up` leaves behind. Raises `Invalid`."""
    chosen = url or environ.get(URL) or DEFAULT_URL
    path = token_file or Path(environ.get(TOKEN_FILE) or default_state_dir() / "admin-token")
    token = None if token_file else environ.get(TOKEN)
    if not token:
        token = _read_token(path)
    return Rest(chosen, token)


def _read_token(path: Path) -> str:
    try:
        token = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(
            f"cannot read the token in {path}: {getattr(error, 'strerror', None) or 'it is no text'}; "
            f"give --token-file, or set {TOKEN_FILE} or {TOKEN}"
        ) from error
    if not token.isascii() or not token.isprintable() or not token:
        raise Invalid(f"cannot use the token in {path}: it is none")
    return token


def _check(response: httpx.Response) -> None:
    if response.status_code == 404:
        raise NotFound(_words(response))
    if response.status_code in (502, 503, 504):
        raise NotNow(_words(response), _fields(response))
    if response.is_error:
        raise Refused(_words(response), _fields(response))


def _words(response: httpx.Response) -> str:
    """What the API says, else what its status means."""
    fields = _fields(response)
    said = fields.get("faultstring")
    for (
        nested
    ) in fields.values():  # {"error": {...}} of identity, {"itemNotFound": {...}} of clusters
        if said is None and isinstance(nested, dict):
            said = nested.get("message")
    if said is None and response.headers.get("content-type", "").startswith("text/plain"):
        said = response.text.strip()[:MOST_WORDS] or None
    identity = response.headers.get("x-request-id", "")
    return f"{said or response.reason_phrase} (HTTP {response.status_code}, {identity})"


def _fields(response: httpx.Response) -> Json:
    """Empty where the answer is no object."""
    try:
        answer = response.json()
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
