"""TLS over REST: certificates that are kept, shown on the wire, renewed, and whose keys are nobody else's."""

import base64
import json
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from libra.model.access import Role
from libra.worker.controller import LBaaSController
from libra.worker.state import FileState
from tests.support.certificates import Authority, Certificate, encrypt_key
from tests.support.control import LBAAS, ControlLab, ThreadWorker, control_lab, whole
from tests.support.haproxy import DrivenHAProxy, haproxy, haproxy_binary, socket_directory
from tests.support.ports import free_port
from tests.support.seconddevice import authority, der, one, trusting
from tests.support.web import WebServer

__all__ = ["authority", "haproxy", "haproxy_binary", "one", "socket_directory"]
PATH = "/v1/certificates"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[ControlLab]:
    with control_lab(tmp_path) as lab:
        yield lab


def pair(issued: Certificate) -> dict[str, Any]:
    return {"certificate": issued.cert.read_text(), "key": issued.key.read_text()}


def store(lab: ControlLab, **body: Any) -> str:
    return str(lab.post(PATH, body)["certificate"]["id"])


def shown(address: str, port: int, context: ssl.SSLContext, name: str = "localhost") -> bytes:
    """The certificate on the wire, after a request was answered."""
    context.check_hostname = False
    plain = socket.create_connection((address, port), timeout=30)
    with context.wrap_socket(plain, server_hostname=name) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b"200" in connection.recv(100)
        return connection.getpeercert(binary_form=True) or b""


def listener(lab: ControlLab, owner: str, port: int, **fields: Any) -> dict[str, Any]:
    body = {"loadbalancer_id": owner, "protocol": "TERMINATED_HTTPS", "protocol_port": port}
    made: dict[str, Any] = lab.post(f"{LBAAS}/listeners", {"listener": {**body, **fields}})
    lab.wait_active(owner)
    return made["listener"]  # type: ignore[no-any-return]


def test_from_rest_to_the_wire_and_renewed_without_a_reload(
    lab: ControlLab,
    haproxy: DrivenHAProxy,
    one: WebServer,
    authority: Authority,
    capfd: pytest.CaptureFixture[str],
) -> None:
    worker = lab.worker()
    worker.controller = LBaaSController(
        haproxy.driver, FileState(haproxy.directory / "desired.json")
    )
    given = whole(free_port())
    given["listeners"][0]["default_pool"]["members"] = [
        {"address": "127.0.0.1", "protocol_port": one.port}
    ]
    owner = lab.create(**given)
    issued = [authority.issue(f"rest-{n}", names=f"DNS:{n}.example.com") for n in range(4)]
    first, second = (store(lab, **pair(item)) for item in issued[:2])
    trusted = store(lab, type="ca", certificate=authority.ca.read_text())
    port, address = free_port(), str(owner["vip_address"])
    made = listener(
        lab,
        owner["id"],
        port,
        default_pool_id=owner["pools"][0]["id"],
        default_tls_container_ref=f"http://any:9311/v1/containers/{first}",
        sni_container_refs=[second],
        hsts_max_age=600,
    )
    assert made["default_tls_container_ref"].startswith("http://any")
    assert made["tls_versions"] == ["TLSv1.2", "TLSv1.3"]
    context = trusting(authority)
    assert shown(address, port, context) == der(issued[0])
    assert shown(address, port, context, "1.example.com") == der(issued[1])

    before = haproxy.master.show_processes().master.reloads
    lab.put(f"{PATH}/{second}", pair(issued[2]))
    lab.wait(
        lambda: shown(address, port, context, "2.example.com") == der(issued[2]), "the new one"
    )
    lab.wait_active(owner["id"])
    assert haproxy.master.show_processes().master.reloads == before

    asking = {"client_authentication": "MANDATORY", "client_ca_tls_container_ref": trusted}
    lab.put(f"{LBAAS}/listeners/{made['id']}", {"listener": asking})
    lab.wait_active(owner["id"])
    assert shown(address, port, trusting(authority, issued[3])) == der(issued[0])
    with pytest.raises(OSError):  # noqa: PT011 - TLS 1.3 tells of it late, in one way or another
        shown(address, port, context)

    lab.delete(f"{PATH}/{second}", 409)
    lab.delete(f"{LBAAS}/listeners/{made['id']}")
    lab.wait_active(owner["id"])
    lab.delete(f"{PATH}/{second}")
    assert_no_key_is_seen(lab, issued[:3], capfd)


def assert_no_key_is_seen(
    lab: ControlLab, issued: list[Certificate], capfd: pytest.CaptureFixture[str]
) -> None:
    said = capfd.readouterr()
    jobs = [lab.get(f"/v1/jobs/{job['id']}") for job in lab.get("/v1/jobs")["jobs"]]
    events = lab.get("/v1/events", limit=1000)
    assert any("certificates" in str(job) for job in jobs)
    stored = b"".join(path.read_bytes() for path in lab.directory.glob("libra.db*"))
    seen = f"{said.out}{said.err}{json.dumps(jobs)}{events}{lab.get(PATH)}".encode() + stored
    for item in issued:
        assert b"BEGIN CERTIFICATE" in stored
        for line in item.key.read_text().splitlines()[1:-1]:
            assert line.encode() not in seen


def test_a_renewal_that_the_worker_refuses_holds_up_nobody_and_is_made_good_by_the_next(
    lab: ControlLab, worker: ThreadWorker, authority: Authority
) -> None:
    """The first device's others keep changing, and are not sent what was refused."""
    shop, other = lab.create("shop"), lab.create("other", **whole(8081))
    good, bad, better = (authority.issue(f"renewed-{n}") for n in range(3))
    key = store(lab, **pair(good))
    listener(lab, shop["id"], 443, default_tls_container_ref=key)
    worker.refuse = bad.cert.read_text().splitlines()[-2]  # of its signature
    lab.put(f"{PATH}/{key}", pair(bad))
    lab.wait_status(shop["id"], "ERROR")

    lab.put(f"{LBAAS}/loadbalancers/{other['id']}", {"loadbalancer": {"name": "changed"}})
    lab.wait_active(other["id"])
    assert sent_certificates(worker) == {good.cert.read_text()}
    assert lab.show(shop["id"])["provisioning_status"] == "ERROR"

    lab.put(f"{PATH}/{key}", pair(better))
    lab.wait_active(shop["id"])
    assert sent_certificates(worker) == {better.cert.read_text()}
    stored = b"".join(path.read_bytes() for path in lab.directory.glob("libra.db*"))
    for item in (good, bad, better):
        assert item.key.read_text().splitlines()[1].encode() not in stored


def sent_certificates(worker: ThreadWorker) -> set[str]:
    """By the last UPDATE that was not refused."""
    taken = [item for item in worker.updates() if str(worker.refuse) not in json.dumps(item)]
    return {
        certificate["certificate"]
        for balancer in taken[-1]["loadbalancers"]
        for one in balancer["listeners"]
        for certificate in one.get("tls", {}).get("certificates", [])
    }


@pytest.fixture
def worker(lab: ControlLab) -> ThreadWorker:
    return lab.worker()


def test_what_is_refused(lab: ControlLab, authority: Authority) -> None:
    good, other = authority.issue("good"), authority.issue("other")
    pem, key, ca = good.cert.read_text(), good.key.read_text(), authority.ca.read_text()
    sealed = encrypt_key(good.key).read_text()
    for body, words in (
        ({"certificate": pem}, "give certificate and key"),
        ({"certificate": "x", "key": key}, "in PEM"),
        ({"certificate": pem, "key": other.key.read_text()}, "does not belong"),
        ({"certificate": ca + pem, "key": key}, "does not belong"),
        ({"certificate": pem + other.cert.read_text(), "key": key}, "has not issued"),
        ({"certificate": pem, "key": sealed}, "it is encrypted: give its passphrase"),
        ({"certificate": pem, "key": sealed, "passphrase": "wrong"}, "cannot read key"),
        ({"certificate": pem, "key": key, "passphrase": "x"}, "it is not encrypted"),
        ({"pkcs12": "AAAA"}, "no PKCS #12 file"),
        ({"pkcs12": "-"}, "base64"),
        ({"type": "ca", "certificate": ca, "key": key}, "nothing else"),
        ({"type": "crl", "certificate": ca}, "revocation lists"),
        ({"certificate": pem, "key": "k" * 300_000}, "key"),
    ):
        said = lab.post(PATH, body, 400)["faultstring"]
        assert words in said, said
        assert "PRIVATE" not in said
    assert lab.get(PATH)["certificates"] == []


def test_what_is_taken(lab: ControlLab, authority: Authority) -> None:
    good = authority.issue("taken")
    chain = good.cert.read_text() + authority.ca.read_text()
    sealed = encrypt_key(good.key).read_text()
    store(lab, certificate=chain, key=sealed, passphrase="secret")
    made = subprocess.run(
        [
            *("openssl", "pkcs12", "-export", "-inkey", good.key, "-in", good.cert),
            *("-certfile", authority.ca, "-passout", "pass:pw"),
        ],
        check=True,
        capture_output=True,
    )
    key = store(lab, name="p12", pkcs12=base64.b64encode(made.stdout).decode(), passphrase="pw")
    found = lab.get(f"{PATH}/{key}")["certificate"]
    assert found["names"] == ["localhost", "127.0.0.1"]
    assert found["subject"] == "CN=taken"
    assert found["certificate"].count("BEGIN CERTIFICATE") == 2
    assert len(lab.get(PATH, name="p12")["certificates"]) == 1
    lab.get(PATH, 400, sealed="x")
    revoked = authority.revoke(good)
    store(lab, type="crl", certificate=revoked)


def test_references(lab: ControlLab, worker: ThreadWorker, authority: Authority) -> None:
    owner = lab.create()
    good = store(lab, project_id="default", **pair(authority.issue("referred")))
    foreign = store(lab, project_id="elsewhere", **pair(authority.issue("foreign")))
    trusted = store(lab, type="ca", certificate=authority.ca.read_text())

    def refused(words: str, protocol: str = "TERMINATED_HTTPS", **fields: Any) -> None:
        body = {"loadbalancer_id": owner["id"], "protocol": protocol, "protocol_port": 443}
        said = lab.post(f"{LBAAS}/listeners", {"listener": {**body, **fields}}, 400)
        assert words in said["faultstring"], said

    refused("must be provided")
    refused("Could not retrieve certificate", default_tls_container_ref="nothing")
    refused("Could not retrieve certificate", default_tls_container_ref=foreign)
    refused("is of the type ca", default_tls_container_ref=trusted)
    refused("only allowed on TERMINATED_HTTPS", "HTTP", default_tls_container_ref=good)
    refused("only allowed on TERMINATED_HTTPS", "HTTP", alpn_protocols=["h2"])
    refused("requires", default_tls_container_ref=good, client_authentication="OPTIONAL")
    refused("require hsts_max_age", default_tls_container_ref=good, hsts_preload=True)
    refused("gap", default_tls_container_ref=good, tls_versions=["TLSv1.1", "TLSv1.3"])
    refused("ciphers", default_tls_container_ref=good, tls_ciphers="A\nB")
    made = listener(lab, owner["id"], 443, sni_container_refs=[good, good])
    (sent,) = [
        item["tls"]
        for item in worker.updates()[-1]["loadbalancers"][0]["listeners"]
        if "tls" in item
    ]
    assert [item["id"] for item in sent["certificates"]] == [good]
    assert made["default_tls_container_ref"] is None
    member, reader = lab.token(Role.MEMBER, "elsewhere"), lab.token(Role.READER, "default")
    assert member.get(f"{PATH}/{good}").status_code == 403
    assert member.delete(f"{PATH}/{good}").status_code == 403
    assert [item["id"] for item in member.get(PATH).json()["certificates"]] == [foreign]
    assert reader.put(f"{PATH}/{good}", json={"certificate": "x"}).status_code == 403
