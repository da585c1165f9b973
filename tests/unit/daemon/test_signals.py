"""Signals come out of the queue in the order they came in, but what only asks for a reload gives way."""

import os
import signal
import threading

import pytest

from libra.daemon.signals import SignalQueue
from tests.support.ports import wait_until


def test_signals_are_queued_while_installed() -> None:
    before = signal.getsignal(signal.SIGHUP)
    with SignalQueue().installed() as signals:
        came = []
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            os.kill(os.getpid(), number)
            came.append(signals.get(5.0))
    assert came == [signal.SIGHUP, signal.SIGTERM, signal.SIGINT]
    assert signal.getsignal(signal.SIGHUP) is before


def test_nothing_comes() -> None:
    assert SignalQueue().get(0.001) is None


def test_a_signal_ends_a_wait() -> None:
    with SignalQueue().installed() as signals:
        threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGTERM)).start()
        assert signals.get(30.0) is signal.SIGTERM


def test_an_end_passes_the_reloads_and_a_second_one_is_kept() -> None:
    signals = SignalQueue()
    for number in (signal.SIGHUP, signal.SIGHUP, signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signals.put(number)
    came = [signals.get(0.001) for _ in range(3)]
    assert came == [signal.SIGTERM, signal.SIGINT, None]


@pytest.mark.parametrize("count", [2000])
def test_a_storm_is_one_reload_and_does_not_hang(count: int) -> None:
    """Handlers interrupt `get` itself here."""
    with SignalQueue().installed() as signals:
        for _ in range(count):
            signals.put(signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGHUP)
        assert signals.get(5.0) == signal.SIGHUP
        assert signals.get(0.001) is None


def test_a_signal_that_comes_while_others_are_taken_is_not_lost() -> None:
    ended, count = threading.Event(), 2000
    with SignalQueue().installed() as signals:

        def storm() -> None:
            for _ in range(count):
                os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGTERM)
            ended.set()

        threading.Thread(target=storm).start()
        # A get may come back empty: the handler runs in the main thread, once that has the processor again.
        wait_until(lambda: signals.get(1.0) is signal.SIGTERM, what="the last signal")
        assert ended.wait(5.0)
        assert signals.get(0.001) is None


def test_signals_that_a_parent_has_blocked_are_queued() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        with SignalQueue().installed() as signals:
            os.kill(os.getpid(), signal.SIGTERM)
            assert signals.get(5.0) is signal.SIGTERM
        assert signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
