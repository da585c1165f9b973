"""Reads parameters of Diffie and Hellman, as OpenSSL's `dhparam` writes them: two numbers in DER, in PEM."""

import base64
import binascii
import re

from libra.errors import Invalid

LEAST_BITS, MOST_BITS = 2048, 8192
_PEM = re.compile(
    r"\s*-----BEGIN DH PARAMETERS-----([A-Za-z0-9+/=\s]{1,4096})-----END DH PARAMETERS-----\s*"
)
_SEQUENCE, _INTEGER = 0x30, 0x02
_LINE = 64


def parse_dhparam(text: str) -> str:
    """The same in one spelling. Raises `Invalid`, also for X9.42, which HAProxy does not take."""
    match = _PEM.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        data = base64.b64decode("".join(match[1].split()), validate=True)
        prime, generator = _numbers(data)
    except (ValueError, IndexError, binascii.Error):
        raise Invalid("cannot read tls_dhparam: it must be DH PARAMETERS in PEM") from None
    bits = prime.bit_length()
    if not LEAST_BITS <= bits <= MOST_BITS:
        raise Invalid(
            f"cannot use tls_dhparam: it must have {LEAST_BITS} to {MOST_BITS} bits, this has {bits}"
        )
    if not prime % 2 or not 1 < generator < prime - 1:
        raise Invalid("cannot use tls_dhparam: its numbers are none to work with")
    return _written(data)


def _numbers(data: bytes) -> tuple[int, int]:
    """The prime and the generator. A length that may follow is advice, and stays."""
    inner, rest = _take(data, _SEQUENCE)
    if rest:
        raise ValueError
    prime, others = _take(inner, _INTEGER)
    generator, _ = _take(others, _INTEGER)
    return int.from_bytes(prime, signed=True), int.from_bytes(generator, signed=True)


def _take(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """The content of the first element, and what follows it. Raises `ValueError`, `IndexError`."""
    if data[0] != tag:
        raise ValueError
    length, start = data[1], 2
    if length >= 0x80:
        start += length - 0x80
        length = int.from_bytes(data[2:start])
    content = data[start : start + length]
    if len(content) < length:
        raise ValueError
    return content, data[start + length :]


def _written(data: bytes) -> str:
    text = base64.b64encode(data).decode()
    lines = [text[n : n + _LINE] for n in range(0, len(text), _LINE)]
    return "\n".join(("-----BEGIN DH PARAMETERS-----", *lines, "-----END DH PARAMETERS-----", ""))
