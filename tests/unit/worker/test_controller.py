"""The controller: what each action leaves behind, in the proxy and on disk, also where something fails."""

import json
from pathlib import Path
from typing import Any

import pytest

from libra import __version__
from libra.errors import ConfigurationRejected, DriverError, ReloadFailed, StateError
from libra.messages.replies import passed
from libra.model.loadbalancer import Desired
from libra.worker.controller import INTERNAL, WARNING, LBaaSController
from libra.worker.state import FileState
from tests.support.disks import directory_of_others, full_disk, read_only
from tests.support.drivers import TroubledDriver, TroubledState, crash_before_save
from tests.support.messages import http, many_nodes, parse_update, tcp, update

SUSPEND = {"hpcs_action": "SUSPEND"}
ENABLE = {"hpcs_action": "ENABLE"}
DELETE = {"hpcs_action": "DELETE"}
DISCOVER = {"hpcs_action": "DISCOVER"}
STATS = {"hpcs_action": "STATS"}
ARCHIVE = {
    "hpcs_action": "ARCHIVE",
    "hpcs_object_store_basepath": "lbaaslogs",
    "hpcs_object_store_endpoint": "https://example.com/v1/100",
    "hpcs_object_store_token": "MY_AUTH_TOKEN",
    "hpcs_object_store_type": "swift",
    "loadbalancers": [{"protocol": "HTTP"}],
}
ONE = update(http(id="one"))
TWO = update(http(id="two"), tcp(id="three"))


class Bench:
    """A controller over a state file, its driver, and what a restarted worker would have."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.restart()

    def restart(self) -> None:
        """A new process: nothing is kept but the file. (The proxy's own state is kept apart, see `proxy`.)"""
        self.driver = TroubledDriver()
        self.state = FileState(self.path)
        self.controller = LBaaSController(self.driver, self.state)

    def pass_(self, message: dict[str, Any]) -> dict[str, Any]:
        reply = self.controller.handle(message)
        assert passed(reply), reply
        return reply

    def fail(self, message: dict[str, Any]) -> str:
        reply = self.controller.handle(message)
        assert not passed(reply), reply
        return str(reply["hpcs_error"])

    def saved(self) -> Desired:
        """What is on disk, read by somebody else."""
        return FileState(self.path).load()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "desired.json")


def desired(message: dict[str, Any], *, suspended: bool = False) -> Desired:
    return Desired(loadbalancers=parse_update(message), suspended=suspended)


# what each action leaves behind


def test_an_update_is_applied_and_saved(bench: Bench) -> None:
    bench.pass_(ONE)
    assert bench.driver.desired == bench.saved() == desired(ONE)
    bench.pass_(TWO)
    assert bench.driver.desired == bench.saved() == desired(TWO)


def test_the_same_update_again_changes_nothing(bench: Bench) -> None:
    bench.pass_(ONE)
    bench.pass_(ONE)
    assert bench.driver.applied == 1


def test_enable_brings_back_exactly_what_was(bench: Bench) -> None:
    bench.pass_(TWO)
    bench.pass_(SUSPEND)
    assert bench.driver.desired == bench.saved() == desired(TWO, suspended=True)
    bench.pass_(ENABLE)
    assert bench.driver.desired == bench.saved() == desired(TWO)


def test_suspend_and_enable_twice_are_once(bench: Bench) -> None:
    bench.pass_(ONE)
    bench.pass_(ENABLE)
    assert bench.driver.applied == 1
    bench.pass_(SUSPEND)
    bench.pass_(SUSPEND)
    assert bench.driver.applied == 2
    assert bench.saved().suspended


def test_an_update_while_suspended_keeps_it_suspended(bench: Bench) -> None:
    bench.pass_(ONE)
    bench.pass_(SUSPEND)
    bench.pass_(TWO)
    assert bench.driver.desired == bench.saved() == desired(TWO, suspended=True)
    bench.restart()
    bench.pass_(ONE)
    bench.pass_(ENABLE)
    assert bench.driver.desired == bench.saved() == desired(ONE)


@pytest.mark.parametrize("before", [[ONE], [ONE, SUSPEND], []])
def test_delete_leaves_nothing(bench: Bench, before: list[dict[str, Any]]) -> None:
    for message in before:
        bench.pass_(message)
    bench.driver.count("one", "10.0.0.1:80", {"total_sessions": 5})
    bench.pass_(DELETE)
    assert bench.driver.desired == bench.saved() == Desired()
    assert not bench.path.exists()
    bench.pass_(DELETE)
    bench.pass_(ONE)
    assert bench.driver.desired == bench.saved() == desired(ONE)  # not suspended
    assert bench.pass_(STATS)["loadbalancers"][0]["total_sessions"] == 0


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (SUSPEND, "cannot suspend: no load balancer is configured on this device"),
        (ENABLE, "cannot enable: no load balancer is configured on this device"),
        (ARCHIVE, "cannot archive: no load balancer is configured on this device"),
    ],
)
@pytest.mark.parametrize("before", [[], [ONE, DELETE], [ONE, SUSPEND, DELETE]])
def test_with_nothing_configured(
    bench: Bench, before: list[dict[str, Any]], message: dict[str, Any], sentence: str
) -> None:
    for earlier in before:
        bench.pass_(earlier)
    assert bench.fail(message) == sentence


# dry runs


@pytest.mark.parametrize(
    ("message", "step", "after"),
    [
        (ONE, "nothing", ONE),
        (TWO, "change", TWO),
        (SUSPEND, "change", ONE),
        (ENABLE, "nothing", ONE),
        (DELETE, "change", None),
    ],
)
def test_a_dry_run_tells_and_changes_nothing(
    bench: Bench, message: dict[str, Any], step: str, after: dict[str, Any] | None
) -> None:
    bench.pass_(ONE)
    before, applied = bench.path.read_bytes(), bench.driver.applied
    for flag in (True, "TRUE", 1):
        reply = bench.pass_({**message, "Hpcs_Dry_Run": flag})
        plan = reply["plan"]
        assert (plan["step"], plan["reload"]) == (step, False)
        assert bool(plan["diff"]) == (step == "change")
        assert bench.driver.desired == desired(ONE)
        assert bench.driver.applied == applied
        assert bench.driver.forgotten == 0
        assert bench.path.read_bytes() == before
    bench.pass_({**message, "hpcs_dry_run": False})
    assert bench.saved() == (
        Desired() if after is None else desired(after, suspended=message is SUSPEND)
    )


def test_a_dry_run_of_an_update_while_suspended_stays_suspended(bench: Bench) -> None:
    bench.pass_(ONE)
    bench.pass_(SUSPEND)
    assert bench.pass_({**ONE, "hpcs_dry_run": True})["plan"]["step"] == "nothing"


@pytest.mark.parametrize("message", [SUSPEND, ENABLE])
def test_a_dry_run_fails_as_the_change_would(bench: Bench, message: dict[str, Any]) -> None:
    assert bench.fail({**message, "hpcs_dry_run": True}) == bench.fail(message)


def test_a_dry_run_that_the_driver_refuses_has_its_words(bench: Bench) -> None:
    bench.pass_(ONE)
    bench.driver.trouble = ConfigurationRejected("cannot use the configuration: line 3: no")
    assert bench.fail({**TWO, "hpcs_dry_run": True}) == "cannot use the configuration: line 3: no"
    assert bench.saved() == desired(ONE)


def test_a_field_of_the_message_that_is_called_plan_gives_way(bench: Bench) -> None:
    reply = bench.pass_({**ONE, "PLAN": "mine", "hpcs_dry_run": True})
    assert "PLAN" not in reply
    assert reply["plan"]["step"] == "start"
    assert bench.pass_({**ONE, "PLAN": "mine"})["PLAN"] == "mine"


# what changes nothing


def test_discover(bench: Bench) -> None:
    assert bench.pass_(DISCOVER) == {
        **DISCOVER,
        "version": "2.0",
        "versions": ["1.0", "2.0"],
        "release": __version__,
        "driver": "noop",
        "proxy": "noop",
        "proxy_version": __version__,
        "hpcs_response": "PASS",
    }


def test_stats_needs_a_running_proxy(bench: Bench) -> None:
    assert bench.fail(STATS) == "cannot read statistics: the noop proxy is not running"
    bench.pass_(ONE)
    bench.driver.count("one", "10.0.0.1:80", {"total_sessions": 2, "bytes_in": 300})
    (loadbalancer,) = bench.pass_(STATS)["loadbalancers"]
    assert (loadbalancer["id"], loadbalancer["bytes_in"]) == ("one", 300)
    assert loadbalancer["nodes"][0]["total_sessions"] == 2
    bench.driver.running = False
    bench.fail(STATS)
    bench.controller.ensure()
    bench.pass_(STATS)


def test_archive_without_stores(bench: Bench) -> None:
    bench.pass_(ONE)
    assert bench.fail(ARCHIVE).startswith("cannot archive: the object store type 'swift' is not")


# a FAIL changes nothing


@pytest.mark.parametrize("message", [TWO, SUSPEND, DELETE])
@pytest.mark.parametrize("error", [ConfigurationRejected, ReloadFailed, DriverError])
def test_the_driver_s_words_are_told(
    bench: Bench, message: dict[str, Any], error: type[DriverError]
) -> None:
    bench.pass_(ONE)
    bytes_before = bench.path.read_bytes()
    bench.driver.trouble = error("cannot reload HAProxy: [ALERT] line 7")
    assert bench.fail(message) == "cannot reload HAProxy: [ALERT] line 7"
    assert bench.driver.desired == desired(ONE)
    assert bench.path.read_bytes() == bytes_before
    assert bench.driver.forgotten == 0
    assert [lb["id"] for lb in bench.pass_(STATS)["loadbalancers"]] == ["one"]
    bench.pass_(message)


def test_a_bad_message_touches_nothing(bench: Bench) -> None:
    bench.pass_(ONE)
    status = bench.path.stat()
    for bad in (update(http(port=0)), update(http(), http()), {"hpcs_action": "UPDATE"}, {}):
        bench.fail(bad)
    assert bench.path.stat() == status
    assert bench.driver.applied == 1


@pytest.mark.parametrize("message", [TWO, SUSPEND])
def test_where_saving_fails_the_old_runs_again(message: dict[str, Any]) -> None:
    driver, state = TroubledDriver(), TroubledState()
    controller = LBaaSController(driver, state)
    assert passed(controller.handle(ONE))
    state.full = True
    reply = controller.handle(message)
    assert reply["hpcs_error"] == "cannot save the state to /x: No space left on device"
    assert driver.desired == state.load() == desired(ONE)
    assert driver.applied == 3  # there and back
    (loadbalancer,) = controller.handle(STATS)["loadbalancers"]  # type: ignore[misc]
    assert (loadbalancer["id"], loadbalancer["status"]) == ("one", "ONLINE")
    state.full = False
    assert passed(controller.handle(message))
    assert driver.desired == state.load() != desired(ONE)


def test_a_full_disk(bench: Bench) -> None:
    many = update(http(id="many", nodes=many_nodes(1000)))
    with full_disk(10_000):
        assert bench.fail(many) == f"cannot save the state to {bench.path}: File too large"
        assert bench.driver.desired == bench.saved() == Desired()
        bench.pass_(ONE)
        bench.fail(many)
        assert bench.driver.desired == bench.saved() == desired(ONE)
    assert list(bench.path.parent.iterdir()) == [bench.path]
    bench.pass_(many)
    assert bench.driver.desired == bench.saved() == desired(many)


def test_a_read_only_directory() -> None:
    with directory_of_others() as directory:
        bench = Bench(directory / "desired.json")
        bench.pass_(ONE)
        bench.path.chmod(0o644)
        with read_only(directory):
            for message in (TWO, SUSPEND, DELETE):
                text = bench.fail(message)
                assert text == f"cannot save the state to {bench.path}: Permission denied"
                assert bench.driver.desired == bench.saved() == desired(ONE)
            assert bench.driver.forgotten == 0
            bench.pass_(STATS)
        bench.pass_(TWO)


def test_a_directory_that_is_gone(bench: Bench, tmp_path: Path) -> None:
    bench.pass_(ONE)
    aside = tmp_path.with_name("aside")
    tmp_path.rename(aside)
    text = bench.fail(TWO)
    assert text == f"cannot save the state to {bench.path}: No such file or directory"
    assert bench.driver.desired == desired(ONE)
    aside.rename(tmp_path)
    assert bench.saved() == desired(ONE)


def test_a_file_that_stands_though_the_save_failed_is_put_back(bench: Bench) -> None:
    """As where the rename was made and the directory could not be synced."""
    bench.pass_(ONE)
    save, failures = bench.state.save, [StateError("cannot save the state: I/O error")]

    def save_and_fail(state: Desired) -> None:
        save(state)
        if failures:
            raise failures.pop()

    bench.state.save = save_and_fail  # type: ignore[method-assign]
    assert bench.fail(TWO) == "cannot save the state: I/O error"
    assert bench.driver.desired == bench.saved() == desired(ONE)


@pytest.mark.parametrize("where", ["trouble", "late_trouble"])
def test_a_fault_of_the_driver_s_own_leaves_the_old(bench: Bench, where: str) -> None:
    bench.pass_(ONE)
    setattr(bench.driver, where, KeyError("a bug"))
    assert bench.fail(TWO) == INTERNAL
    assert bench.driver.desired == bench.saved() == desired(ONE)


def test_where_even_going_back_fails_the_first_reason_is_told() -> None:
    driver, state = TroubledDriver(), TroubledState()
    controller = LBaaSController(driver, state)
    assert passed(controller.handle(ONE))

    def save(_: Desired) -> None:
        driver.trouble = ReloadFailed("cannot reload HAProxy")
        raise StateError("cannot save the state: disk full")

    state.save = save  # type: ignore[method-assign]
    assert controller.handle(TWO)["hpcs_error"] == "cannot save the state: disk full"


def test_what_could_not_go_back_does_so_as_soon_as_it_can() -> None:
    """As where the disk had filled up when the proxy had changed already: it runs what was refused till then."""
    driver, state = TroubledDriver(), TroubledState()
    controller = LBaaSController(driver, state)
    assert passed(controller.handle(ONE))
    no_space = ReloadFailed("cannot write /x: No space left on device")

    def refuse(_: Desired) -> None:
        driver.trouble = no_space
        raise StateError("cannot save the state to /x: No space left on device")

    state.save = refuse  # type: ignore[method-assign]
    assert not passed(controller.handle(TWO))
    assert driver.desired == desired(TWO)
    driver.trouble = no_space
    with pytest.raises(ReloadFailed):
        controller.ensure()
    assert driver.desired == desired(TWO)
    del state.save  # type: ignore[method-assign]
    driver.trouble = None
    controller.ensure()
    assert driver.desired == state.load() == desired(ONE)
    applied = driver.applied
    controller.ensure()
    assert driver.applied == applied


def test_an_error_without_words_still_is_a_sentence(bench: Bench) -> None:
    bench.driver.trouble = ReloadFailed()
    assert bench.fail(ONE) == "cannot carry out the message: ReloadFailed"


def test_an_error_of_thousands_of_lines_is_cut(bench: Bench) -> None:
    bench.driver.trouble = ConfigurationRejected("cannot install: " + "x" * 1_000_000)
    text = bench.fail(ONE)
    assert text.startswith("cannot install: xxx")
    assert text.endswith("... (1000016 characters)")
    assert len(text) < 8100


# restart


def test_a_restarted_worker_restores_what_was_acknowledged(bench: Bench) -> None:
    bench.pass_(TWO)
    bench.pass_(SUSPEND)
    bench.restart()
    bench.controller.restore()
    assert bench.driver.desired == desired(TWO, suspended=True)
    assert bench.driver.forgotten == 0


def test_a_fresh_device_starts_an_empty_proxy(bench: Bench) -> None:
    bench.controller.restore()
    assert bench.pass_(STATS)["loadbalancers"] == []


@pytest.mark.parametrize("message", [TWO, SUSPEND, DELETE])
def test_a_crash_between_applying_and_saving_converges_to_the_acknowledged(
    bench: Bench, message: dict[str, Any]
) -> None:
    bench.pass_(ONE)
    with crash_before_save(bench.state):
        bench.controller.handle(message)
    assert bench.driver.desired != desired(ONE)
    bench.restart()
    bench.controller.restore()
    assert bench.driver.desired == bench.saved() == desired(ONE)


def test_a_delete_that_was_cut_short_is_ended_by_the_restart(bench: Bench) -> None:
    bench.pass_(ONE)
    bench.path.unlink()  # killed after this, before the counters went
    bench.restart()
    bench.controller.restore()
    assert bench.driver.forgotten == 1


def test_restore_tells_what_the_driver_says(bench: Bench) -> None:
    bench.pass_(ONE)
    bench.restart()
    bench.driver.trouble = ReloadFailed("cannot start HAProxy: not found")
    with pytest.raises(ReloadFailed):
        bench.controller.restore()
    bench.controller.restore()
    assert bench.driver.desired == desired(ONE)


# a state file that cannot be read


@pytest.fixture
def broken(bench: Bench) -> Bench:
    """A worker that starts over a state file which is none."""
    bench.pass_(ONE)
    bench.restart()
    bench.path.write_bytes(b'{"format": 1, "susp')
    with pytest.raises(StateError, match=r"it is not JSON .*; an UPDATE replaces it, a DELETE"):
        bench.controller.restore()
    assert bench.driver.applied == 0  # left alone
    bench.driver.apply(desired(ONE))  # what the proxy has been doing all the time
    return bench


def test_over_a_broken_file_an_update_repairs(broken: Bench) -> None:
    broken.pass_(TWO)
    assert broken.driver.desired == broken.saved() == desired(TWO)
    aside = broken.path.with_name("desired.json.unreadable")
    assert aside.read_bytes() == b'{"format": 1, "susp'
    broken.restart()
    broken.controller.restore()
    assert broken.driver.desired == desired(TWO)


def test_over_a_broken_file_a_dry_run_repairs_nothing(broken: Bench) -> None:
    before = broken.path.read_bytes()
    for message in (ONE, DELETE):
        assert broken.pass_({**message, "hpcs_dry_run": True})["plan"]["step"]
    assert broken.path.read_bytes() == before


def test_over_a_broken_file_a_delete_repairs(broken: Bench) -> None:
    broken.pass_(DELETE)
    assert broken.driver.desired == broken.saved() == Desired()
    assert not broken.path.exists()


@pytest.mark.parametrize("message", [SUSPEND, ENABLE, ARCHIVE])
def test_over_a_broken_file_the_rest_says_what_to_do(
    broken: Bench, message: dict[str, Any]
) -> None:
    text = broken.fail(message)
    assert text.startswith(f"cannot use the saved state {broken.path}: it is not JSON (")
    assert text.endswith("; an UPDATE replaces it, a DELETE removes it")
    assert broken.driver.desired == desired(ONE)


def test_over_a_broken_file_discover_and_stats_answer(broken: Bench) -> None:
    broken.pass_(DISCOVER)
    reply = broken.pass_(STATS)
    assert reply["loadbalancers"] == []
    assert reply[WARNING].startswith("cannot use the saved state ")
    broken.driver.running = False
    broken.fail(STATS)


def test_over_a_broken_file_a_refused_update_keeps_the_file(broken: Bench) -> None:
    broken.driver.trouble = ConfigurationRejected("cannot install")
    broken.fail(TWO)
    broken.fail(update(http(port=0)))
    assert broken.path.read_bytes() == b'{"format": 1, "susp'


def test_a_file_that_is_mended_by_hand_is_read_again(broken: Bench) -> None:
    broken.path.unlink()
    assert broken.fail(SUSPEND) == "cannot suspend: no load balancer is configured on this device"


def test_a_file_that_breaks_while_the_worker_runs_does_no_harm(bench: Bench) -> None:
    bench.pass_(ONE)
    bench.path.write_bytes(b"\0" * 100)
    assert bench.pass_(STATS)["loadbalancers"][0]["id"] == "one"
    bench.pass_(SUSPEND)
    assert bench.driver.desired == bench.saved() == desired(ONE, suspended=True)


# the message and the reply


def test_the_message_stays_as_it_was_and_the_reply_has_a_top_of_its_own(bench: Bench) -> None:
    message = update(http(nodes=[{"Address": "10.0.0.1", "PORT": "80"}]))
    before = json.dumps(message)
    reply = bench.pass_(message)
    reply["x"] = 1
    assert json.dumps(message) == before
    message["loadbalancers"][0]["nodes"].clear()
    bench.pass_(SUSPEND)
    assert len(bench.saved().loadbalancers[0].listeners[0].pool.members) == 1


def test_the_state_is_read_once_whatever_is_asked(bench: Bench) -> None:
    state = TroubledState()
    controller = LBaaSController(TroubledDriver(), state)
    controller.restore()
    for message in (ONE, STATS, SUSPEND, STATS, ENABLE, STATS, DELETE, STATS, DISCOVER):
        assert passed(controller.handle(message))
    assert state.loads == 1
