"""The controller and addresses: there before the proxy needs them, gone after it left them."""

import ipaddress
import time

import pytest

from libra.errors import AddressRefused, ConfigurationRejected, DriverError, StateError
from libra.messages.replies import passed
from libra.vips.base import Address
from libra.worker.contest import NEVER, PATIENCE
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


def contested() -> Bench:
    """Another host has got its address while it was away."""
    bench = Bench()
    bench.vips.elsewhere = addresses("10.0.0.70")
    bench.controller.contest(time.monotonic())
    return bench


def test_amid_doubt_an_address_is_left_to_the_host_that_answers_for_it() -> None:
    bench = contested()
    assert bench.vips.has == frozenset()
    assert bench.driver.desired.loadbalancers == ()
    bench.controller.ensure()
    assert bench.vips.has == frozenset()
    reply = bench.controller.handle({"hpcs_action": "STATS"})
    assert reply["hpcs_warning"] == "given up, for another host answers for it: 10.0.0.70"


def test_without_doubt_nobody_is_asked_and_nothing_given_up() -> None:
    bench = Bench()
    bench.vips.elsewhere = addresses("10.0.0.70")
    bench.controller.contest(NEVER)
    assert bench.vips.has == addresses("10.0.0.70")
    assert "ask" not in bench.vips.calls


def test_it_is_taken_back_when_nobody_has_it() -> None:
    bench = contested()
    bench.vips.elsewhere = frozenset()
    bench.controller.contest(NEVER)
    assert bench.vips.has == frozenset()
    for _ in range(PATIENCE.stop):
        bench.controller.contest(NEVER)
    assert bench.vips.has == addresses("10.0.0.70")
    assert len(bench.driver.desired.loadbalancers) == 1


def test_it_is_taken_back_when_the_doubt_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = contested()
    monkeypatch.setattr("libra.worker.contest.DOUBT_SECONDS", -1.0)
    bench.controller.contest(NEVER)
    assert bench.vips.has == addresses("10.0.0.70")


def test_a_job_that_comes_late_takes_nothing_back() -> None:
    """It may have been sent before the address was given to another host."""
    bench = contested()
    assert passed(bench.controller.handle(ONE))
    assert bench.vips.has == frozenset()
    assert bench.driver.desired.loadbalancers == ()


def test_a_job_that_gives_an_address_anew_knows_better_than_neighbours() -> None:
    bench = Bench()
    bench.vips.elsewhere = addresses("10.0.0.70", "10.0.0.71")
    assert passed(bench.controller.handle(TWO))
    bench.controller.contest(time.monotonic() - 60)
    assert bench.vips.has == addresses("10.0.0.71")
    bench.controller.contest(time.monotonic())  # away once more, since then
    assert bench.vips.has == frozenset()


def test_so_soon_after_it_was_away_a_job_may_be_of_before(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    bench.controller.contest(time.monotonic())
    bench.vips.elsewhere = addresses("10.0.0.71")
    assert passed(bench.controller.handle(TWO))
    assert bench.vips.has == frozenset()
    assert bench.driver.desired.loadbalancers == ()
    monkeypatch.setattr("libra.worker.contest.UNSURE_SECONDS", -1.0)  # nobody took it back
    bench.controller.contest(NEVER)
    assert bench.vips.has == addresses("10.0.0.71")


def test_a_refused_job_takes_nothing_back() -> None:
    bench = contested()
    bench.driver.trouble = ConfigurationRejected("cannot")
    assert not passed(bench.controller.handle(TWO))
    assert bench.vips.has == frozenset()


def test_what_another_host_has_at_the_start_is_not_taken_from_it() -> None:
    bench = Bench()
    bench.vips.has, bench.vips.elsewhere = frozenset(), addresses("10.0.0.70")
    bench.controller.restore()
    assert bench.vips.has == frozenset()


def test_neighbours_that_cannot_be_asked_keep_nothing_from_the_start() -> None:
    bench = Bench()

    def fail(wanted: frozenset[Address]) -> frozenset[Address]:
        raise DriverError("cannot ask neighbours")

    bench.vips.has, bench.vips.rivals = frozenset(), fail  # type: ignore[method-assign]
    bench.controller.restore()
    assert bench.vips.has == addresses("10.0.0.70")
