"""What of the host's settings reaches HAProxy's file."""

from datetime import timedelta

import pytest

from libra.config.settings import HAProxySettings
from libra.config.values import Supervisor
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


@pytest.mark.parametrize("keyword", ["description", "localpeer"])
def test_some_keywords_stay_libras_own(keyword: str) -> None:
    settings = HAProxySettings(extra_global=(f"  {keyword} mine",))
    with pytest.raises(
        Invalid, match=rf"^cannot use haproxy\.extra_global: '{keyword}' is libra's own"
    ):
        build_options(settings, VERSION)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/var/lib/x-1/haproxy.cfg", "/var/lib/x-1/haproxy.cfg.clients"),
        ("/var/lib/a b/haproxy.cfg", None),
        ("/var/lib/a,b/haproxy.cfg", None),
        ("/var/lib/a)b/haproxy.cfg", None),
    ],
)
def test_the_file_of_clients_has_to_fit_an_expression(path: str, expected: str | None) -> None:
    settings = HAProxySettings.model_validate({"config_file": path})
    assert build_options(settings, VERSION).clients_file == expected
