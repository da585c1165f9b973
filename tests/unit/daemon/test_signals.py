"""Signals come out of the queue in the order they came in."""

import os
import signal
import threading

import pytest

from libra.daemon.signals import SignalQueue


def test_signals_are_queued_while_installed() -> None:
    before = signal.getsignal(signal.SIGHUP)
    with SignalQueue().installed() as signals:
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGTERM):
            os.kill(os.getpid(), number)
        came = [signals.get(5.0) for _ in range(3)]
    assert came == [signal.SIGHUP, signal.SIGTERM, signal.SIGTERM]
    assert signal.getsignal(signal.SIGHUP) is before


def test_nothing_comes() -> None:
    assert SignalQueue().get(0.001) is None


def test_a_signal_ends_a_wait() -> None:
    with SignalQueue().installed() as signals:
        threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGTERM)).start()
        assert signals.get(30.0) is signal.SIGTERM


@pytest.mark.parametrize("count", [2000])
def test_a_storm_is_not_lost_and_does_not_hang(count: int) -> None:
    """Handlers interrupt `get` itself here."""
    with SignalQueue().installed() as signals:
        for _ in range(count):
            signals.put(signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGHUP)
        assert [signals.get(5.0) for _ in range(2 * count)] == [signal.SIGHUP] * 2 * count
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
