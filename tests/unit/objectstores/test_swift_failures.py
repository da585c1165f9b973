"""Every error that swiftclient lets through, in words; the token in none of them."""

import http.client
import ssl

import pytest
import requests
import urllib3
from hypothesis import given
from hypothesis import strategies as st
from swiftclient.exceptions import ClientException

from libra.objectstores.swift_failures import LONGEST_WORDS, MASK, clean, explain

TOKEN = "AUTH_tk0123456789"
PUT = "PUT logs/x"


def refused() -> Exception:
    inner = urllib3.exceptions.NewConnectionError(None, "refused")  # type: ignore[arg-type]
    inner.__cause__ = ConnectionRefusedError(111, "Connection refused")
    return requests.ConnectionError(urllib3.exceptions.MaxRetryError(None, "/", inner))  # type: ignore[arg-type]


def untrusted() -> Exception:
    inner = ssl.SSLCertVerificationError("bad")
    inner.verify_message = "self-signed certificate"
    return requests.exceptions.SSLError(urllib3.exceptions.SSLError(inner))


@pytest.mark.parametrize(
    ("error", "words", "transient", "doubtful"),
    [
        (refused(), "PUT logs/x failed: Connection refused", True, False),
        (requests.ConnectTimeout("x"), "PUT logs/x failed: no connection in time", True, False),
        (requests.ReadTimeout("x"), "PUT logs/x failed: timed out", True, True),
        (
            requests.ConnectionError("Aborted", ConnectionResetError(104, "Connection reset")),
            "PUT logs/x failed: Connection reset",
            True,
            True,
        ),
        (
            requests.ConnectionError(http.client.RemoteDisconnected("Remote end closed")),
            "PUT logs/x failed: the connection was closed without an answer",
            True,
            True,
        ),
        (
            requests.ConnectionError(http.client.BadStatusLine(TOKEN)),
            "PUT logs/x failed: what answers does not speak HTTP (BadStatusLine)",
            True,
            True,
        ),
        (
            untrusted(),
            "PUT logs/x failed: its TLS certificate is refused, self-signed certificate",
            False,
            False,
        ),
        (
            requests.exceptions.InvalidHeader(TOKEN),
            "PUT logs/x failed: InvalidHeader",
            False,
            False,
        ),
        (ValueError(TOKEN), "PUT logs/x failed: ValueError", True, True),
    ],
)
def test_no_answer(error: Exception, words: str, transient: bool, doubtful: bool) -> None:
    failure = explain(error, PUT, TOKEN)
    assert failure.words == words
    assert failure.status is None
    assert (failure.transient, failure.may_have_worked) == (transient, doubtful)


@pytest.mark.parametrize(
    ("status", "transient", "doubtful"),
    [(401, False, False), (413, False, False), (408, True, True), (507, True, True)],
)
def test_an_answer(status: int, transient: bool, doubtful: bool) -> None:
    error = ClientException(
        "Object PUT failed",
        http_status=status,
        http_reason="No",
        http_response_content=b"<html><h1>Sorry</h1>\r\n<p>no, not today</p></html>",
        http_response_headers={"Retry-After": "7"},
    )
    failure = explain(error, PUT, TOKEN)
    assert failure.words == f"Swift answered {status} No to PUT logs/x: Sorry no, not today"
    assert (failure.status, failure.retry_after_seconds) == (status, 7)
    assert (failure.transient, failure.may_have_worked) == (transient, doubtful)


def test_a_redirect_is_explained() -> None:
    error = ClientException("x", http_status=302, http_reason="Found")
    words = explain(error, PUT, TOKEN).words
    assert words == "Swift answered 302 Found to PUT logs/x: redirects are not followed"


@pytest.mark.parametrize("value", ["", "soon", "-1", "Wed, 21 Oct 2026 07:28:00 GMT", "9" * 30])
def test_what_is_no_number_of_seconds_is_no_wait(value: str) -> None:
    headers = {"Retry-After": value}
    error = ClientException("x", http_status=503, http_response_headers=headers)
    assert explain(error, PUT, TOKEN).retry_after_seconds == 0


@given(st.one_of(st.text(), st.binary()), st.text("AUTH_tk<>&; 0", min_size=4, max_size=8))
def test_words_are_one_short_printable_line_without_the_token(raw: str | bytes, token: str) -> None:
    padded = raw + token * 2 if isinstance(raw, str) else raw + token.encode() * 2
    words = clean(padded, token)
    assert words.isascii()
    assert words.isprintable()
    assert len(words) <= LONGEST_WORDS + 3
    assert token not in words.replace(MASK, "")
