"""TLS towards a job server: both sides show a certificate, and the server's must be for the name it is called by."""

import socket
import ssl

import gear


class TlsFileError(ValueError):
    """A certificate or key file cannot be used; the text names it."""


def build_context(ca: str | None, cert: str | None, key: str | None) -> ssl.SSLContext:
    """TLS 1.2 or newer, the server verified against `ca` and its host name, `cert` and `key` shown to it.

    gear itself checks no name, so any certificate of the same authority could pose as the server; and it forbids
    TLS 1.3, for its polling loop is not made for it. The files are read anew for each connection, so that renewed
    certificates are taken up. Raises `TlsFileError`.
    """
    assert cert
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=ca)
    except OSError as error:
        raise TlsFileError(f"cannot use {ca}: {_reason(error)}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # Without a password of ours OpenSSL would ask on the terminal, and hang a daemon.
        context.load_cert_chain(cert, key, password="")
    except OSError as error:
        raise TlsFileError(f"cannot use {cert} with {key}: {_reason(error)}") from error
    return context


def explain_tls(error: Exception) -> str:
    """Why there is no TLS connection."""
    match error:
        case TlsFileError():
            return str(error)
        case ssl.SSLCertVerificationError():
            return f"its certificate is refused: {error.verify_message}"
        case TimeoutError():
            return "no TLS handshake in time"
        case OSError():
            return f"no TLS connection: {_reason(error)}"
        case _:
            return f"no TLS connection: {error}"


def answers_in_clear(peer: tuple[str, int], seconds: float) -> bool:
    """Whether a job server without TLS is there: a gearmand built without it takes --ssl, and speaks plain text."""
    request = gear.VersionAdminRequest()
    try:
        with socket.create_connection(peer[:2], timeout=max(0.001, seconds)) as sock:
            sock.sendall(request.getCommand())
            return sock.recv(64).startswith((b"OK", b"ERR"))
    except OSError:
        return False


def _reason(error: OSError) -> str:
    reason = getattr(error, "reason", None)
    if isinstance(reason, str):
        return reason.lower().replace("_", " ")
    return (error.strerror or str(error)).lower()
