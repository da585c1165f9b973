"""What of the host's settings reaches HAProxy's file."""

from datetime import timedelta

import pytest

from libra.config.settings import HAProxySettings, Supervisor
from libra.drivers.haproxy.binary import Version
from libra.drivers.haproxy.options import build_options
from libra.errors import Invalid

VERSION = Version(2, 6, 12)


def test_every_setting_finds_its_place() -> None:
    settings = HAProxySettings(
        user="haproxy",
        group="libra",
        extra_global=("nbthread 2",),
        extra_defaults=("timeout http-request 10s",),
        hard_stop_after_seconds=90,
    )
    options = build_options(settings, VERSION)
    assert options.admin_socket == str(settings.admin_socket)
    assert (options.user, options.group, options.version) == ("haproxy", "libra", (2, 6, 12))
    assert options.hard_stop_after == timedelta(seconds=90)
    assert options.extra_global == ("nbthread 2",)
    assert options.extra_defaults == ("timeout http-request 10s",)


@pytest.mark.parametrize(
    ("supervisor", "target", "expected"),
    [
        (Supervisor.OWN, None, "stdout"),
        (Supervisor.SYSTEMD, None, "/dev/log"),
        (Supervisor.OWN, "127.0.0.1:514", "127.0.0.1:514"),
    ],
)
def test_where_the_log_goes(supervisor: Supervisor, target: str | None, expected: str) -> None:
    settings = HAProxySettings(supervisor=supervisor, log_target=target)
    assert build_options(settings, VERSION).log_target == expected


def test_the_description_stays_libras_own() -> None:
    settings = HAProxySettings(extra_global=("  description mine",))
    with pytest.raises(Invalid, match=r"^cannot use haproxy\.extra_global: 'description'"):
        build_options(settings, VERSION)
