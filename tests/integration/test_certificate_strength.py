"""What OpenSSL would not show to clients is refused by the API, and Debian's HAProxy agrees: no device gets to see it.

Others, such as the one from PyPI, have an OpenSSL that asks for less.
"""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from libra.errors import Invalid
from libra.usecases.pem import MOST_CHARACTERS, parse_authorities, parse_pair
from tests.support.certificates import Authority
from tests.support.haproxy import find_haproxy

GOOD = ("EC", "ec_paramgen_curve:P-256")
UNKNOWN_CURVE = ("EC", "ec_paramgen_curve:wap-wsg-idm-ecid-wtls12")


def rsa(bits: int, kind: str = "RSA") -> tuple[str, str]:
    return kind, f"rsa_keygen_bits:{bits}"


@dataclass(frozen=True)
class Issuer:
    """Makes PEM files `name`.pem and `name`.key with openssl, of any strength."""

    directory: Path

    def issue(self, name: str, by: str, key: Sequence[str] = GOOD, digest: str = "sha256") -> None:
        """By itself where `by` is its own name."""
        kind, option = key
        self._run("genpkey", "-algorithm", kind, "-pkeyopt", option, "-out", f"{name}.key")
        subject = ("-key", f"{name}.key", "-subj", f"/CN={name}", f"-{digest}")
        if by == name:
            self._run("req", "-x509", *subject, "-days", "3", "-out", f"{name}.pem")
            return
        self._run("req", "-new", "-key", f"{name}.key", "-subj", f"/CN={name}", "-out", "csr")
        signing = ("-CA", f"{by}.pem", "-CAkey", f"{by}.key", "-CAcreateserial", f"-{digest}")
        self._run("x509", "-req", "-in", "csr", *signing, "-days", "3", "-out", f"{name}.pem")

    def text(self, *names: str) -> str:
        return "".join((self.directory / name).read_text() for name in names)

    def is_taken_by(self, haproxy: Path, *names: str) -> bool:
        """Certificates and keys in one file, as the driver writes them."""
        both, config = self.directory / "both.pem", self.directory / "haproxy.cfg"
        both.write_text(self.text(*names))
        config.write_text(
            "defaults\n  mode http\n  timeout client 1s\n  timeout server 1s\n"
            f"  timeout connect 1s\nfrontend f\n  bind 127.0.0.1:1 ssl crt {both}\n"
        )
        command = [str(haproxy), "-c", "-f", str(config)]
        return subprocess.run(command, capture_output=True, timeout=30).returncode == 0

    def _run(self, *arguments: str) -> None:
        subprocess.run(
            ["openssl", *arguments],
            cwd=self.directory,
            check=True,
            capture_output=True,
            timeout=60,
        )


@pytest.fixture
def haproxy() -> Path:
    return find_haproxy("system")


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    issuer = Issuer(tmp_path)
    issuer.issue("root", "root")
    return issuer


def parse(issuer: Issuer, *names: str) -> None:
    chain = issuer.text(*(f"{name}.pem" for name in names))
    parse_pair(chain, issuer.text(f"{names[0]}.key"), None, datetime.now(UTC))


@pytest.mark.parametrize(
    ("key", "digest", "words"),
    [
        (GOOD, "sha1", "certificate 2 of the chain: it is signed with sha1"),
        (rsa(1024), "sha256", "certificate 2 of the chain: its key has 1024 bits"),
        (("EC", "ec_paramgen_curve:prime192v1"), "sha256", "its key has 192 bits"),
        (GOOD, "sha3-256", "signed with sha3"),
    ],
)
def test_a_weak_issuer(
    issuer: Issuer, haproxy: Path, key: tuple[str, str], digest: str, words: str
) -> None:
    issuer.issue("between", "root", key, digest)
    issuer.issue("leaf", "between")
    with pytest.raises(Invalid, match=words):
        parse(issuer, "leaf", "between", "root")
    assert not issuer.is_taken_by(haproxy, "leaf.pem", "between.pem", "leaf.key")


@pytest.mark.parametrize(
    ("key", "digest", "words"),
    [
        (GOOD, "sha3-256", "signed with sha3"),
        (UNKNOWN_CURVE, "sha256", "of an unknown kind"),
    ],
)
def test_a_certificate_that_cannot_be_shown(
    issuer: Issuer, haproxy: Path, key: tuple[str, str], digest: str, words: str
) -> None:
    issuer.issue("leaf", "root", key, digest)
    issuer.issue("other", "root")
    if (
        key == UNKNOWN_CURVE
    ):  # such a key is no key, and what is said of the certificate comes first
        (issuer.directory / "leaf.key").write_text(issuer.text("other.key"))
    with pytest.raises(Invalid, match=words):
        parse(issuer, "leaf")
    assert not issuer.is_taken_by(haproxy, "leaf.pem", "leaf.key")


def test_a_key_for_one_kind_of_signature_only(issuer: Issuer) -> None:
    """HAProxy would take it, but not as the library writes such a key: for any kind."""
    issuer.issue("leaf", "root", rsa(2048, "RSA-PSS"))
    with pytest.raises(Invalid, match="RSASSA-PSS only"):
        parse(issuer, "leaf")


def test_an_issuer_that_signs_itself_may_do_so_as_it_likes(issuer: Issuer, haproxy: Path) -> None:
    """Nobody checks that signature."""
    issuer.issue("old", "old", digest="sha1")
    issuer.issue("leaf", "old")
    parse(issuer, "leaf", "old")
    assert issuer.is_taken_by(haproxy, "leaf.pem", "old.pem", "leaf.key")


def test_what_grows_beyond_the_most_when_it_is_written_anew(tmp_path: Path) -> None:
    """Messages take as many characters, and no more; lines of 64 take more than one long line."""
    first, *lines, last = Authority(tmp_path).ca.read_text().splitlines()
    long = "\n".join((first, "".join(lines), last, ""))
    text = long * (MOST_CHARACTERS // len(long))
    with pytest.raises(Invalid, match="longer than"):
        parse_authorities(text, datetime.now(UTC))
