"""The daemon on the in-memory job server: lanes, answers, ends, restarts of what it looks after."""

import json
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from libra.errors import DriverError, Invalid, StateError
from libra.jobs.base import Priority
from libra.jobs.memory import MemoryJobServer
from libra.worker.daemon import Registration, Renewal
from libra.worker.dispatcher import ARCHIVES_WAITING
from tests.support.daemon import DEVICE, QUICK, WAIT, DaemonLab

UPDATE = {"loadbalancers": [{"protocol": "HTTP", "nodes": [{"address": "10.0.0.1", "port": "80"}]}]}


CHANGING = {"UPDATE", "SUSPEND", "ENABLE", "DELETE", "restore", "ensure"}


def status(text: str) -> Callable[[str], bool]:
    """Fits a STATUS line that holds the text."""
    return lambda line: line.startswith("STATUS=") and text in line


# --- answers


def test_jobs_are_answered() -> None:
    with DaemonLab() as lab:
        assert lab.ask("UPDATE", **UPDATE)["hpcs_response"] == "PASS"
        assert lab.ask("discover")["version"] == "2.0"
        assert lab.ask("STATS")["loadbalancers"][0]["id"] == "http"


def test_a_dry_run_waits_its_turn_and_is_told_in_the_log() -> None:
    with DaemonLab() as lab:
        lab.controller.hold("UPDATE")
        first = lab.send("UPDATE", **UPDATE)
        lab.controller.wait_running("UPDATE")
        preview = lab.send("SUSPEND", hpcs_dry_run="true")
        assert lab.ask("STATS")["hpcs_response"] == "PASS"
        assert not preview.done()
        with capture_logs() as events:
            lab.controller.let_go("UPDATE")
            assert preview.result(WAIT)["plan"]["step"] == "change"
        assert first.result(WAIT)["hpcs_response"] == "PASS"
        jobs = [event for event in events if event["event"] == "job answered"]
        assert [(event["action"], event.get("dry_run")) for event in jobs] == [
            ("UPDATE", None),
            ("SUSPEND", True),
        ]


@pytest.mark.parametrize("payload", [b"", b"\xff\xfe", b"{", b"[1]", b"[" * 100_000, b"1" * 5000])
def test_what_is_no_message_is_answered_too(payload: bytes) -> None:
    with DaemonLab() as lab:
        reply = lab.send_bytes(payload).result(WAIT)
        assert list(reply) == ["hpcs_response", "hpcs_error"]
        assert reply["hpcs_response"] == "FAIL"
        assert reply["hpcs_error"].startswith("cannot read the message")
        assert lab.ask("DISCOVER")["hpcs_response"] == "PASS"


@pytest.mark.parametrize("action", ["", "FORMAT", "UPDATE\n"])
def test_an_unknown_action_is_answered_by_the_controller(action: str) -> None:
    with DaemonLab() as lab:
        reply = lab.ask(action, extra=1)
        assert (reply["hpcs_action"], reply["extra"], reply["hpcs_response"]) == (action, 1, "FAIL")


def test_a_reply_too_deep_to_write_goes_without_the_echo() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with DaemonLab() as lab:
        lab.controller.handle = lambda message: {"hpcs_response": "PASS", "x": deep}  # type: ignore[method-assign]
        reply = lab.ask("DISCOVER")
        assert reply == {
            "hpcs_response": "FAIL",
            "hpcs_error": "cannot write the message as JSON",
        }
    while deep:  # a deep list is freed by recursion
        deep = deep[0]  # type: ignore[assignment]


@pytest.mark.parametrize("action", ["UPDATE", "STATS", "ARCHIVE"])
def test_a_controller_that_raises_ends_nothing(action: str) -> None:
    with DaemonLab() as lab:
        for fault in (KeyError("token"), MemoryError()):
            lab.controller.fail(action, fault)
            reply = lab.ask(action)
            assert reply["hpcs_response"] == "FAIL"
            assert reply["hpcs_error"] == "internal error; the worker's log has the details"
        lab.controller.fail(action, None)
        assert lab.ask("DISCOVER")["hpcs_response"] == "PASS"


# --- lanes


def test_changes_are_carried_out_in_arrival_order() -> None:
    lab = DaemonLab()
    actions = ["UPDATE", "SUSPEND", "ENABLE", "DELETE"]
    for number in range(500):
        message = {"hpcs_action": actions[number % 4], "n": number, **UPDATE}
        lab.server.add(DEVICE, json.dumps(message).encode(), Priority.NORMAL)
    with lab:
        lab.ask("DELETE", n=500)
        assert [message["n"] for message in lab.controller.messages] == list(range(501))
        assert lab.controller.calls[0] == "restore"


def test_archives_hold_up_nothing() -> None:
    with DaemonLab() as lab:
        lab.controller.hold("ARCHIVE")
        archives = [lab.send("ARCHIVE") for _ in range(3)]
        lab.controller.wait_running("ARCHIVE", 2)
        assert lab.ask("UPDATE", **UPDATE)["hpcs_response"] == "PASS"
        assert lab.ask("STATS")["hpcs_response"] == "PASS"
        assert lab.controller.running["ARCHIVE"] == 2
        lab.controller.let_go()
        for archive in archives:
            assert archive.result(WAIT)["hpcs_response"] == "FAIL"  # nothing is configured to send


def test_a_change_holds_up_changes_only() -> None:
    with DaemonLab() as lab:
        lab.controller.hold("UPDATE")
        update = lab.send("UPDATE", **UPDATE)
        lab.controller.wait_running("UPDATE")
        suspend = lab.send("SUSPEND")
        assert lab.ask("STATS")["hpcs_response"] == "PASS"
        assert lab.ask("DISCOVER")["hpcs_response"] == "PASS"
        assert "SUSPEND" not in lab.controller.calls
        lab.controller.let_go()
        assert update.result(WAIT)["hpcs_response"] == "PASS"
        assert suspend.result(WAIT)["hpcs_response"] == "PASS"


def test_an_archive_too_many_is_refused() -> None:
    with DaemonLab() as lab:
        lab.controller.hold("ARCHIVE")
        running = [lab.send("ARCHIVE") for _ in range(2)]
        lab.controller.wait_running("ARCHIVE", 2)
        waiting = [lab.send("ARCHIVE") for _ in range(ARCHIVES_WAITING + 1)]
        done, _ = wait(waiting, WAIT, FIRST_COMPLETED)
        assert [future.result()["hpcs_error"] for future in done] == [
            f"cannot archive: {ARCHIVES_WAITING} other ARCHIVE jobs are waiting already"
        ]
        assert lab.ask("UPDATE", **UPDATE)["hpcs_response"] == "PASS"
        lab.controller.let_go()
        wait(running + waiting, WAIT)
        assert lab.controller.calls.count("ARCHIVE") == 2 + ARCHIVES_WAITING


# --- the proxy


def test_the_saved_state_comes_before_the_first_job() -> None:
    lab = DaemonLab()
    lab.controller.hold("restore")
    with lab:
        update = lab.send("UPDATE", **UPDATE)
        assert lab.ask("DISCOVER")["hpcs_response"] == "PASS"  # answered meanwhile
        assert not lab.ready.is_set()
        lab.controller.let_go()
        assert update.result(WAIT)["hpcs_response"] == "PASS"
        assert lab.ready.wait(WAIT)
        changes = [call for call in lab.controller.calls if call in CHANGING]
        assert changes[0] == "restore"


def test_the_proxy_is_looked_after_but_never_beside_a_change() -> None:
    with DaemonLab() as lab:
        lab.controller.wait_called("ensure", 3)
        for _ in range(20):
            lab.ask("UPDATE", **UPDATE)
        lab.controller.wait_called("ensure", lab.controller.calls.count("ensure") + 3)
        assert lab.controller.calls.count("restore") == 1
        assert all(len(names & CHANGING) <= 1 for names in lab.controller.together)


@pytest.mark.parametrize(
    "fault",
    [DriverError("cannot find haproxy"), StateError("cannot read the saved state"), OSError("x")],
)
def test_a_proxy_that_cannot_be_restored_is_no_reason_to_be_silent(fault: Exception) -> None:
    lab = DaemonLab()
    lab.controller.fail("restore", fault)
    with lab:
        assert lab.ready.wait(WAIT)
        sentence = str(fault) if not isinstance(fault, OSError) else "internal error"
        lab.heard.wait_for(status(sentence))
        assert lab.ask("DISCOVER")["hpcs_response"] == "PASS"
        assert "cannot read statistics" in lab.ask("STATS")["hpcs_error"]  # it does not run
        assert lab.ask("UPDATE", **UPDATE)["hpcs_response"] == "PASS"
        lab.controller.wait_called("restore", 3)
        assert "ensure" not in lab.controller.calls
        lab.controller.fail("restore", None)
        lab.controller.wait_called("ensure")
        lab.heard.wait_for(status("the proxy is as saved"))


def test_a_proxy_that_is_lost_later_is_told() -> None:
    with DaemonLab() as lab:
        lab.controller.wait_called("ensure")
        lab.controller.fail("ensure", DriverError("cannot start haproxy"))
        lab.heard.wait_for(status("cannot start haproxy"))
        seen = len(lab.heard.lines)
        lab.controller.fail("ensure", None)
        lab.heard.wait_for(status("the proxy is as saved"), after=seen)


# --- ready, alive


def test_ready_does_not_wait_for_job_servers_for_ever() -> None:
    lab = DaemonLab()
    lab.server.stop()
    with lab:
        assert lab.ready.wait(WAIT)
        lab.heard.wait_for(status("registered at 0 of 1 job servers"))
        lab.server.start()
        lab.heard.wait_for(status("registered at 1 of 1 job servers"))


def test_alive_while_jobs_move() -> None:
    with DaemonLab() as lab:
        lab.controller.hold("ARCHIVE")  # that one may take hours
        lab.send("ARCHIVE")
        lab.controller.wait_running("ARCHIVE")
        lab.heard.wait_for(is_beat, after=len(lab.heard.lines), times=10)


@pytest.mark.parametrize("action", ["UPDATE", "STATS"])
def test_no_sign_of_life_while_a_job_hangs(action: str) -> None:
    with DaemonLab(replace(QUICK, hung_after=timedelta())) as lab:
        lab.controller.hold(action)
        lab.send(action, **UPDATE)
        lab.controller.wait_running(action)
        lab.reload()  # the main loop still turns
        lab.heard.wait_for(lambda line: line == "RELOADING=1")
        seen = len(lab.heard.lines)
        lab.reload()
        lab.heard.wait_for(lambda line: line == "RELOADING=1", after=seen)
        assert "WATCHDOG=1" not in lab.heard.lines[seen:]
        lab.controller.let_go()
        lab.heard.wait_for(is_beat, after=len(lab.heard.lines))


def is_beat(line: str) -> bool:
    return line == "WATCHDOG=1"


# --- the end


def test_the_running_job_is_answered_before_the_end() -> None:
    with DaemonLab() as lab:
        lab.controller.hold("ARCHIVE", "UPDATE")
        archive, update = lab.send("ARCHIVE"), lab.send("UPDATE", **UPDATE)
        lab.controller.wait_running("ARCHIVE")
        lab.controller.wait_running("UPDATE")
        lab.terminate()
        lab.heard.wait_for(lambda line: line == "STOPPING=1")
        assert lab.runs
        lab.controller.let_go("ARCHIVE")
        assert archive.result(WAIT)["hpcs_response"] == "FAIL"
        assert lab.runs
        lab.controller.let_go("UPDATE")
        assert update.result(WAIT)["hpcs_response"] == "PASS"
        assert lab.ended()


def test_a_job_that_takes_too_long_goes_back_to_the_server() -> None:
    with DaemonLab(replace(QUICK, drain=timedelta(milliseconds=1))) as lab:
        lab.controller.hold("UPDATE")
        update = lab.send("UPDATE", **UPDATE)
        lab.controller.wait_running("UPDATE")
        lab.terminate()
        assert not lab.ended()
        job = lab.server.source(DEVICE).take(WAIT)
        assert job is not None
        job.complete(b'{"hpcs_response": "PASS", "by": "the next worker"}')
        assert update.result(WAIT)["by"] == "the next worker"


def test_a_second_signal_does_not_wait() -> None:
    with DaemonLab() as lab:
        lab.controller.hold("UPDATE")
        lab.send("UPDATE", **UPDATE)
        lab.controller.wait_running("UPDATE")
        lab.terminate()
        lab.heard.wait_for(lambda line: line == "STOPPING=1")
        assert lab.runs
        lab.terminate()
        assert not lab.ended()
        assert lab.server.source(DEVICE).take(WAIT) is not None


# --- settings read again


def test_a_reload_without_changes() -> None:
    with DaemonLab() as lab:
        assert lab.ready.wait(WAIT)
        seen = len(lab.heard.lines)
        lab.reload()
        lab.heard.wait_for(lambda line: line == "READY=1", after=seen)
        assert "RELOADING=1" in lab.heard.lines[seen:]
        assert lab.ask("DISCOVER")["hpcs_response"] == "PASS"


@pytest.mark.parametrize(
    "fault", [Invalid("a.yaml: worker.nam: unknown\na.yaml: job_servers: bad"), KeyError("oops")]
)
def test_faults_in_the_settings_change_nothing_and_are_told(fault: Exception) -> None:
    def renew() -> Renewal:
        raise fault

    with DaemonLab(renew=renew) as lab:
        assert lab.ready.wait(WAIT)
        seen = len(lab.heard.lines)
        lab.reload()
        lab.heard.wait_for(lambda line: line == "READY=1", after=seen)
        lab.heard.wait_for(status("the new settings are refused"), after=seen)
        assert lab.ask("DISCOVER")["hpcs_response"] == "PASS"


def test_a_new_source_takes_over_and_the_old_one_answers_what_it_holds() -> None:
    other = MemoryJobServer()
    with DaemonLab() as lab:
        lab.renew_with(Renewal(registration=Registration(other.source(DEVICE), servers=3)))
        lab.controller.hold("UPDATE")
        update = lab.send("UPDATE", **UPDATE)
        lab.controller.wait_running("UPDATE")
        lab.reload()
        lab.heard.wait_for(status("registered at 1 of 3 job servers"))
        reply = other.client().submit(DEVICE, b'{"hpcs_action": "DISCOVER"}', timeout=WAIT)
        assert json.loads(reply)["hpcs_response"] == "PASS"
        late = lab.send("DISCOVER")
        lab.controller.let_go()
        assert update.result(WAIT)["hpcs_response"] == "PASS"
        assert lab.server.source(DEVICE).take(WAIT) is not None  # nobody else takes there now
        assert not late.done()


def test_new_settings_of_the_proxy_are_brought_live_before_it_is_ready_again() -> None:
    configured: list[list[str]] = []
    with DaemonLab() as lab:
        assert lab.ready.wait(WAIT)
        lab.renew_with(Renewal(configure=lambda: configured.append(list(lab.controller.calls))))
        lab.controller.hold("restore")
        seen = len(lab.heard.lines)
        lab.reload()
        lab.controller.wait_running("restore")
        lab.heard.wait_for(status("restoring the proxy"), after=seen)
        assert lab.ask("DISCOVER")["hpcs_response"] == "PASS"
        assert "READY=1" not in lab.heard.lines[seen:]
        lab.controller.let_go()
        lab.heard.wait_for(lambda line: line == "READY=1", after=seen)
        assert [calls.count("restore") for calls in configured] == [1]  # before the second one


def test_new_settings_that_the_proxy_refuses_are_not_used() -> None:
    done: list[str] = []
    with DaemonLab() as lab:
        assert lab.ready.wait(WAIT)
        lab.renew_with(
            Renewal(
                configure=lambda: done.append("configure"), revert=lambda: done.append("revert")
            )
        )
        lab.controller.fail("restore", DriverError("unknown keyword 'nbthred'"))
        lab.reload()
        lab.heard.wait_for(status("the new settings are refused"))
        lab.controller.fail("restore", None)
        assert lab.ask("UPDATE", **UPDATE)["hpcs_response"] == "PASS"
        assert done == ["configure", "revert"]
        lab.renew_with(Renewal())
        seen = len(lab.heard.lines)
        lab.reload()
        lab.heard.wait_for(lambda line: line == "READY=1", after=seen)
        lab.heard.wait_for(lambda line: line.endswith("the proxy is as saved"), after=seen)


def test_new_settings_may_be_what_brings_the_proxy_back() -> None:
    lab = DaemonLab(replace(QUICK, ensure_every=timedelta(hours=1)))
    lab.controller.fail("restore", DriverError("cannot find haproxy"))
    with lab:
        lab.heard.wait_for(status("cannot find haproxy"))
        lab.renew_with(Renewal(configure=lambda: lab.controller.fail("restore", None)))
        lab.reload()
        lab.heard.wait_for(status("the proxy is as saved"))


def test_a_shorter_drain_counts_at_once() -> None:
    with DaemonLab() as lab:
        lab.renew_with(Renewal(timing=replace(QUICK, drain=timedelta(milliseconds=1))))
        lab.reload()
        lab.heard.wait_for(lambda line: line == "RELOADING=1")
        lab.controller.hold("UPDATE")
        lab.send("UPDATE", **UPDATE)
        lab.controller.wait_running("UPDATE")
        lab.terminate()
        assert not lab.ended()
