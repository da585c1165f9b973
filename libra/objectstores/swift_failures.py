"""What went wrong with a request to Swift, in words that are safe to show: the token is never in them."""

import http.client
import json
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

import requests
import urllib3

from libra.objectstores.retries import is_transient
from libra.objectstores.swift_client import ClientException

# Everything that swiftclient lets through. ValueError: headers that are no UTF-8.
ERRORS = (
    ClientException,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,
)
_NO_CONNECTION = requests.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError
MASK = "***"
LONGEST_WORDS = 200
LONGEST_WAIT_SECONDS = 3600.0
_TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request failed. `transient`: it may succeed later; `status` None: there was no answer.

    `sent` is False where it cannot have reached the store.
    """

    words: str
    status: int | None = None
    transient: bool = True
    sent: bool = True
    retry_after_seconds: float = 0.0

    @property
    def may_have_worked(self) -> bool:
        """True where the store may have done it all the same."""
        if self.status is None:
            return self.sent
        return self.status >= 500 or self.status in (408, 499)


def explain(error: BaseException, request: str, token: str) -> Failure:
    """The failure of a request, as "PUT container/object"."""
    if isinstance(error, ClientException) and error.http_status:
        return _explain_answer(error, error.http_status, request, token)
    return _explain_silence(error, request)


def _explain_answer(error: ClientException, status: int, request: str, token: str) -> Failure:
    reason = clean(error.http_reason or "", token)
    body = clean(error.http_response_content or "", token)
    if 300 <= status <= 399:
        body = "redirects are not followed"
    said = f"Swift answered {status} {reason}".rstrip() + f" to {request}"
    return Failure(
        words=f"{said}: {body}" if body else said,
        status=status,
        transient=is_transient(status),
        retry_after_seconds=_retry_after(error.http_response_headers or {}),
    )


def _explain_silence(error: BaseException, request: str) -> Failure:
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            words = f"its TLS certificate is refused, {cause.verify_message or cause.reason}"
            return Failure(f"{request} failed: {words}", transient=False, sent=False)
    if isinstance(error, requests.exceptions.InvalidHeader | requests.exceptions.InvalidURL):
        return Failure(f"{request} failed: {type(error).__name__}", transient=False, sent=False)
    words = next(filter(None, map(_words, causes)), type(error).__name__)
    sent = not any(isinstance(cause, _NO_CONNECTION) for cause in causes)
    return Failure(f"{request} failed: {words}", sent=sent)


def _words(error: BaseException) -> str | None:
    """Chosen by type: texts of other libraries may quote headers."""
    match error:
        case urllib3.exceptions.NewConnectionError():
            return None  # a kind of ConnectTimeoutError, which it is not: its cause says why
        case requests.ConnectTimeout() | urllib3.exceptions.ConnectTimeoutError():
            return "no connection in time"
        case requests.Timeout() | urllib3.exceptions.ReadTimeoutError() | TimeoutError():
            return "timed out"
        case http.client.RemoteDisconnected():
            return "the connection was closed without an answer"
        case http.client.HTTPException():
            return f"what answers does not speak HTTP ({type(error).__name__})"
        case ssl.SSLError():
            return f"TLS: {error.reason or 'handshake failed'}"
        case OSError(strerror=str()):
            return str(error.strerror)
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it wraps, outermost first; libraries wrap by cause, context, argument or `reason`."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]


def clean(raw: bytes | str, token: str) -> str:
    """One line of printable ASCII from an answer, without markup and without the token."""
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
    # Before anything is cut: half a token is a secret, too. A key that is echoed in JSON is spelt as JSON has it.
    text = text.replace(token, MASK).replace(json.dumps(token)[1:-1], MASK)
    text = _TAG.sub(" ", text)
    text = "".join(c if " " <= c <= "~" else " " for c in text)
    text = " ".join(text.split()).replace(token, MASK)
    return text if len(text) <= LONGEST_WORDS else text[:LONGEST_WORDS] + "..."


def _retry_after(headers: dict[str, str]) -> float:
    """Seconds; dates are not worth the trouble."""
    value = headers.get("Retry-After", "")
    return min(float(value), LONGEST_WAIT_SECONDS) if re.fullmatch("[0-9]{1,6}", value) else 0.0
