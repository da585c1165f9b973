"""The unit files, by systemd's own tools and beside the settings' defaults. No systemd needs to run."""

import re
import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path

import pytest

from libra.config.settings import Settings
from tests.support.programs import find_program

UNITS = Path(__file__).parents[2] / "etc" / "systemd"
NAMES = (
    "libra-worker.service",
    "libra-haproxy.service",
    "libra-controller.service",
    "libra-gearmand-tls.service",
    "libra-keepalived.service",
)
WORST_SCORE = 2.5


@pytest.fixture
def analyze() -> str:
    return find_program("systemd-analyze", package="systemd")


def run(*command: str) -> str:
    """Both streams."""
    return subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=30,
        check=False,
    ).stdout


def service(name: str) -> dict[str, str]:
    """The section [Service]; of a key given twice the last."""
    parser = RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNITS / name)
    return dict(parser["Service"])


@pytest.mark.parametrize("name", NAMES)
def test_what_an_attacker_could_do_from_inside(analyze: str, name: str) -> None:
    report = run(analyze, "security", "--offline=yes", "--no-pager", str(UNITS / name))
    match = re.search(r"Overall exposure level for .*: ([0-9.]+)", report)
    assert match is not None, report
    assert float(match[1]) <= WORST_SCORE, report


@pytest.mark.parametrize("name", NAMES)
def test_systemd_understands_every_line(analyze: str, name: str, tmp_path: Path) -> None:
    """`verify` says what it does not know, but its status is 0 all the same."""
    text = (UNITS / name).read_text()
    for program in (
        "/opt/libra/bin/libra-worker",
        "/opt/libra/bin/libra-controller",
        "/usr/sbin/haproxy",
        "/usr/sbin/keepalived",
    ):
        text = text.replace(program, sys.executable)
    (tmp_path / name).write_text(text)
    assert run(analyze, "verify", "--man=no", str(tmp_path / name)) == ""


def test_the_units_and_the_defaults_name_the_same_places() -> None:
    settings = Settings.model_validate({"worker": {"name": "web1"}})
    haproxy, worker = service("libra-haproxy.service"), service("libra-worker.service")
    assert haproxy["Environment"] == f"CONFIG={settings.haproxy.config_file}"
    assert f" -S {settings.haproxy.master_socket},mode,600 " in haproxy["ExecStart"]
    assert settings.haproxy.admin_socket.parent == Path("/run") / haproxy["RuntimeDirectory"]
    assert settings.haproxy.config_file.is_relative_to(Path("/var/lib") / haproxy["StateDirectory"])
    assert settings.worker.state_dir == Path("/var/lib") / worker["StateDirectory"]
    assert settings.haproxy.log_file.parent == Path("/var/log") / worker["LogsDirectory"]
    controller = service("libra-controller.service")
    state = Path("/var/lib") / controller["StateDirectory"]
    assert (
        settings.controller.key_file.parent == settings.controller.admin_token_file.parent == state
    )
    assert settings.database.url == f"sqlite:///{state}/libra.db"
    assert haproxy["User"] == worker["User"] == controller["User"]
    keepalived = service("libra-keepalived.service")
    base = settings.vip.vrrp.config_file.with_suffix("")
    assert keepalived["Environment"] == f"BASE={base}"
    assert base.is_relative_to(Path("/var/lib") / keepalived["StateDirectory"])
    assert keepalived["User"] == worker["User"]


def test_an_ordinary_drain_fits_into_the_time_to_stop() -> None:
    settings = Settings.model_validate({"worker": {"name": "web1"}})
    limit = service("libra-worker.service")["TimeoutStopSec"]
    assert settings.worker.drain_seconds + 15 < float(limit.removesuffix("s"))
