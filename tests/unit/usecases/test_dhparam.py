"""Parameters of Diffie and Hellman."""

import base64
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.errors import Invalid
from libra.usecases.dhparam import parse_dhparam
from tests.support.programs import find_program

HEAD, TAIL = "-----BEGIN DH PARAMETERS-----", "-----END DH PARAMETERS-----"


def openssl(*words: str) -> str:
    program = find_program("openssl", package="openssl")
    done = subprocess.run([program, *words], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture(scope="module")
def good() -> str:
    """As OpenSSL writes a group of RFC 7919, which everybody may know."""
    algorithm = ("-algorithm", "DH", "-pkeyopt", "dh_paramgen_type:0", "-pkeyopt")
    return openssl("genpkey", "-genparam", *algorithm, "group:ffdhe2048")


def test_what_openssl_writes(good: str) -> None:
    assert parse_dhparam(good) == good
    assert parse_dhparam(f"\n{good.replace(chr(10), chr(13) + chr(10))}  ") == good


def test_weak_ones_are_refused() -> None:
    prime = (1 << 1023) + 1
    with pytest.raises(Invalid, match="this has 1024"):
        parse_dhparam(written(prime, 2))
    with pytest.raises(Invalid, match="none to work with"):
        parse_dhparam(written(1 << 2047, 2))
    with pytest.raises(Invalid, match="none to work with"):
        parse_dhparam(written((1 << 2047) + 1, 1))


def written(prime: int, generator: int) -> str:
    inner = integer(prime) + integer(generator)
    body = base64.encodebytes(b"\x30" + length(inner) + inner).decode()
    return f"{HEAD}\n{body}{TAIL}\n"


def integer(number: int) -> bytes:
    content = number.to_bytes(number.bit_length() // 8 + 1, signed=True)
    return b"\x02" + length(content) + content


def length(content: bytes) -> bytes:
    size = len(content)
    return bytes((0x82, *size.to_bytes(2)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        f"{HEAD}\n{TAIL}",
        f"{HEAD}\nMAo=\n{TAIL}",
        f"{HEAD}\n!!!!\n{TAIL}",
        "-----BEGIN X9.42",
    ],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(Invalid, match="DH PARAMETERS in PEM"):
        parse_dhparam(text)


@given(st.binary(max_size=80))
def test_whatever_is_in_it_is_refused_in_a_sentence(data: bytes) -> None:
    with pytest.raises(Invalid):
        parse_dhparam(f"{HEAD}\n{base64.encodebytes(data).decode()}{TAIL}\n")


def test_a_cut_one_is_none(good: str) -> None:
    data = base64.b64decode("".join(good.splitlines()[1:-1]))
    for size in (0, 1, 2, 3, 4, 5, 100, len(data) - 1):
        with pytest.raises(Invalid):
            parse_dhparam(f"{HEAD}\n{base64.encodebytes(data[:size]).decode()}{TAIL}\n")
