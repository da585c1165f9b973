"""What every provider must do, whatever it brings devices from."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from libra.config.controller import ControllerSettings, ProviderSettings
from libra.config.settings import JobServerSettings, Settings
from libra.errors import ProviderError
from libra.providers import local, static
from libra.providers.base import Host, Provider
from tests.support.gearmand import Gearmand, read_admin
from tests.support.haproxy import socket_directory
from tests.support.ports import wait_until

pytestmark = pytest.mark.usefixtures("started_alone")

__all__ = ["socket_directory"]

HOSTS = [{"name": f"edge-{n}", "address": f"10.0.0.{n}"} for n in (1, 2)]


@pytest.fixture
def gearmand() -> Iterator[Gearmand]:
    with Gearmand() as server:
        yield server


@pytest.fixture
def settings(socket_directory: Path, gearmand: Gearmand) -> Settings:
    inventory = socket_directory / "inventory.yaml"
    inventory.write_text(yaml.safe_dump({"pools": {"edge": HOSTS}}))
    return Settings(
        job_servers=(JobServerSettings(port=gearmand.port),),
        controller=ControllerSettings(function="controllers"),
        providers=ProviderSettings(
            inventory=inventory,
            local_dir=socket_directory / "d",
            local_driver="noop",
            local_most=2,
        ),
    )


@pytest.fixture(params=["static", "local"])
def provider(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Provider]:
    create = {"static": static.create_provider, "local": local.create_provider}[request.param]
    made = create(settings, "edge")
    yield made
    for number in (1, 2):
        made.shutdown(f"edge-{number}")


def names(hosts: list[Host]) -> list[str]:
    return [host.name for host in hosts]


def test_it_chooses_what_is_not_taken_until_there_is_no_more(provider: Provider) -> None:
    chosen: list[str] = []
    while (host := provider.choose(chosen)) is not None:
        assert host.address
        chosen.append(host.name)
    assert chosen == ["edge-1", "edge-2"]


def test_to_boot_and_to_shut_down_twice_is_once(provider: Provider) -> None:
    host = provider.choose(())
    assert host is not None
    for _ in range(2):
        provider.boot(host)
        assert host.name in names(provider.list())
    for _ in range(2):
        provider.shutdown(host.name)
    assert (host.name in names(provider.list())) is not provider.destroys


def test_a_local_one_is_a_worker_that_outlives_who_booted_it(
    settings: Settings, gearmand: Gearmand
) -> None:
    first, second = (local.create_provider(settings, "edge") for _ in range(2))
    host = Host(name="edge-1", address="127.0.0.1")
    first.boot(host)
    try:
        wait_until(
            lambda: read_admin(gearmand.port, "status").get(b"edge-1", [b"0"] * 3)[2] == b"1",
            what="its worker",
        )
        assert names(second.list()) == ["edge-1"]
        assert local.create_provider(settings, "other").list() == []
        lock = settings.providers.local_dir / "edge-1" / "state" / "worker.lock"
        os.kill(int(lock.read_text()), signal.SIGKILL)
        wait_until(lambda: second.list() == [], what="its end")
        second.boot(host)
        assert names(first.list()) == ["edge-1"]
    finally:
        second.shutdown("edge-1")
    assert not (settings.providers.local_dir / "edge-1").exists()


def test_a_local_one_that_cannot_start_says_why(settings: Settings) -> None:
    broken = settings.model_copy(
        update={
            "providers": settings.providers.model_copy(update={"local_driver": "no-such-driver"})
        }
    )
    provider = local.create_provider(broken, "edge")
    with pytest.raises(ProviderError, match=r"cannot boot 'edge-1': .*no-such-driver"):
        provider.boot(Host(name="edge-1"))
    provider.shutdown("edge-1")


@pytest.mark.parametrize("name", ["../x-1", "other-1", "edge-", "edge-1/../../x-1"])
def test_a_local_one_touches_nothing_that_is_not_its_own(settings: Settings, name: str) -> None:
    provider = local.create_provider(settings, "edge")
    for action in (provider.shutdown, lambda name: provider.boot(Host(name=name))):
        with pytest.raises(ProviderError, match="none of the pool"):
            action(name)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "No such file"),
        ("[", "no YAML"),
        ("- x", "cannot use the inventory"),
        ("pools: {edge: [{name: 'a b', address: 10.0.0.1}]}", "pools.edge"),
        ("pools: {edge: [{name: web1}]}", "address"),
        ("pools: {edge: []}\nmore: 1", "more"),
    ],
)
def test_an_inventory_at_fault_is_told(settings: Settings, text: str | None, words: str) -> None:
    inventory = settings.providers.inventory
    inventory.unlink()
    if text is not None:
        inventory.write_text(text)
    with pytest.raises(ProviderError, match=words):
        static.create_provider(settings, "edge").list()
