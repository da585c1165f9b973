"""The files beside HAProxy's configuration, and what names them."""

import stat
from pathlib import Path

from libra.drivers.haproxy.config import Material
from libra.drivers.haproxy.materialfiles import MaterialFiles
from libra.drivers.haproxy.materials import build_networks, build_tls
from libra.model.listener import Listener, Protocol
from libra.model.tls import Certificate, ClientAuthentication, Tls
from tests.support.second import CRL, KEY, PEM


def names(listener: str, *certificates: str) -> list[str]:
    tls = Tls(certificates=tuple(Certificate(id=c, chain=PEM, key=KEY) for c in certificates))
    item = Listener(id=listener, protocol=Protocol.HTTP, port=1, pool=None, tls=tls)
    return [material.stem for material in build_tls(item, tls).certificates]


def test_two_certificates_never_have_one_stem() -> None:
    """One would be renewed with the other's content."""
    ids = ["a", "a-b", "a+b", "b", "b-c", "a:b", "a_3Ab", "é" * 128, "é" * 127 + "e"]
    stems = [stem for listener in ids for stem in names(listener, *ids)]
    assert len(set(stems)) == len(ids) ** 2
    assert all(len(f"{stem}.0123456789abcdef.pem") <= 255 for stem in stems)


def test_a_stem_can_be_said_in_an_expression() -> None:
    listener = Listener(
        id="fe:1 (é),|",
        protocol=Protocol.TCP,
        port=1,
        pool=None,
        allowed_cidrs=("10.0.0.0/8", "fd00::/8"),
    )
    material = build_networks(listener)
    assert material.stem == "allow-fe_3A1_20_28_C3_A9_29_2C_7C"
    assert material.content == "10.0.0.0/8 1\nfd00::/8 1\n"


def test_ciphers_of_tls_1_3_stand_apart() -> None:
    def chosen(ciphers: str | None) -> tuple[str | None, str | None]:
        certificates = (Certificate(id="a", chain=PEM, key=KEY),)
        tls = Tls(certificates=certificates, ciphers=ciphers)
        item = Listener(id="li", protocol=Protocol.HTTP, port=1, pool=None, tls=tls)
        bind = build_tls(item, tls)
        return bind.ciphers, bind.ciphersuites

    assert chosen(None) == (None, None)
    assert chosen("HIGH:!aNULL") == ("HIGH:!aNULL", None)
    assert chosen("TLS_AES_256_GCM_SHA384") == (None, "TLS_AES_256_GCM_SHA384")
    assert chosen("TLS_A:ECDHE-X:TLS_B:Y") == ("ECDHE-X:Y", "TLS_A:TLS_B")


def test_what_no_client_is_asked_for_is_not_loaded() -> None:
    def bind(authentication: ClientAuthentication) -> list[str]:
        tls = Tls(
            certificates=(),
            client_authentication=authentication,
            client_ca=PEM,
            client_crl=CRL,
        )
        item = Listener(id="li", protocol=Protocol.HTTP, port=1, pool=None, tls=tls)
        found = build_tls(item, tls)
        return [file.stem for file in (found.client_ca, found.client_crl) if file is not None]

    assert bind(ClientAuthentication.NONE) == []
    assert bind(ClientAuthentication.OPTIONAL) == ["ca-li", "crl-li"]


def test_files_are_written_once_for_nobody_else_and_swept(tmp_path: Path) -> None:
    files = MaterialFiles(tmp_path / "haproxy.cfg.d")
    one, other = Material("crt-a", "pem", PEM + KEY), Material("crt-b", "pem", PEM)
    files.ensure([one, other])
    directory = files.path(one).parent
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}
    written = files.path(one).stat().st_mtime_ns
    files.ensure([one])
    assert files.path(one).stat().st_mtime_ns == written
    files.sweep({one.name})
    assert [path.name for path in directory.iterdir()] == [one.name]
    files.path(one).unlink()  # somebody's hand
    files.ensure([one, other])
    assert sorted(path.name for path in directory.iterdir()) == [one.name, other.name]
    files.sweep(f"bind *:443 ssl crt {files.path(other)}\n")
    assert [path.name for path in directory.iterdir()] == [other.name]


def test_a_key_is_in_no_repr() -> None:
    assert "c2VjcmV0" not in repr(Material("crt-a", "pem", PEM + KEY))
