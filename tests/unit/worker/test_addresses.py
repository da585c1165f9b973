"""The controller and addresses: there before the proxy needs them, gone after it left them."""

import ipaddress

import pytest

from libra.errors import AddressRefused, ConfigurationRejected, StateError
from libra.messages.replies import passed
from libra.worker.controller import LBaaSController
from tests.support.drivers import TroubledDriver
from tests.support.messages import http, update
from tests.support.vips import RecordingVips, addresses

ONE = update(http(id="one", bind_address="10.0.0.70"))
TWO = update(http(id="one", bind_address="10.0.0.71"))
DELETE = {"hpcs_action": "DELETE"}


class Bench:
    def __init__(self) -> None:
        self.vips, self.driver = RecordingVips(), TroubledDriver()
        self.controller = LBaaSController(self.driver, vips=self.vips)
        assert passed(self.controller.handle(ONE))


def test_an_update_brings_its_address_and_takes_the_old_one_off() -> None:
    bench = Bench()
    assert bench.vips.has == addresses("10.0.0.70")
    assert passed(bench.controller.handle(TWO))
    assert bench.vips.has == addresses("10.0.0.71")
    assert bench.vips.calls == ["hold", "release"] * 2


def test_a_delete_takes_it_off() -> None:
    bench = Bench()
    assert passed(bench.controller.handle(DELETE))
    assert bench.vips.has == frozenset()


def test_a_suspended_load_balancer_keeps_its_address() -> None:
    bench = Bench()
    assert passed(bench.controller.handle({"hpcs_action": "SUSPEND"}))
    assert bench.vips.has == addresses("10.0.0.70")


def test_a_refused_update_leaves_the_addresses_of_before() -> None:
    bench = Bench()
    bench.driver.trouble = ConfigurationRejected("cannot")
    assert not passed(bench.controller.handle(TWO))
    assert bench.vips.has == addresses("10.0.0.70")


def test_an_update_that_cannot_be_saved_leaves_the_addresses_of_before() -> None:
    bench = Bench()
    bench.driver.late_trouble = StateError("cannot save")
    assert not passed(bench.controller.handle(TWO))
    assert bench.vips.has == addresses("10.0.0.70")


def test_an_address_that_is_refused_fails_the_update() -> None:
    bench = Bench()
    bench.vips.trouble = AddressRefused("cannot take the address 10.0.0.71")
    reply = bench.controller.handle(TWO)
    assert reply["hpcs_error"] == "cannot take the address 10.0.0.71"
    assert bench.vips.has == addresses("10.0.0.70")


def test_a_dry_run_tells_of_addresses() -> None:
    bench = Bench()
    reply = bench.controller.handle({**TWO, "hpcs_dry_run": True})
    assert "the address 10.0.0.71 is put on eth0" in reply["plan"]["notes"]
    assert bench.vips.has == addresses("10.0.0.70")


def test_what_somebody_took_away_comes_back() -> None:
    bench = Bench()
    bench.vips.has = frozenset({ipaddress.ip_address("10.0.0.99")})
    bench.controller.ensure()
    assert bench.vips.has == addresses("10.0.0.70")
    assert bench.vips.calls[-1] == "announce"


def test_a_missing_address_does_not_keep_the_proxy_down() -> None:
    vips, driver = RecordingVips(), TroubledDriver()
    vips.trouble = AddressRefused("cannot")
    controller = LBaaSController(driver, vips=vips)
    driver.trouble = ConfigurationRejected("the proxy was tried")
    with pytest.raises(ConfigurationRejected, match="the proxy was tried"):
        controller.restore()
