import gzip
import hashlib
import subprocess
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from libra.worker.compress import compress_gzip


@given(st.lists(st.binary()))
def test_gzip_of_the_standard_library_reads_it(blocks: list[bytes]) -> None:
    assert gzip.decompress(b"".join(compress_gzip(blocks))) == b"".join(blocks)


def test_gzip_the_program_reads_it() -> None:
    data = b"".join(compress_gzip([b"a line\n" * 1000] * 100))
    result = subprocess.run(["gzip", "-dc"], input=data, capture_output=True, check=True)
    assert result.stdout == b"a line\n" * 100_000


def test_it_is_a_stream() -> None:
    """What has been taken comes out long before the end."""

    def blocks() -> Iterator[bytes]:
        for number in range(100_000):
            yield hashlib.sha256(b"%d" % number).hexdigest().encode()
        raise RuntimeError("the end is never reached")

    assert len(next(compress_gzip(blocks()))) < 500_000
