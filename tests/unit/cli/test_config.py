"""`libra config`."""

from pathlib import Path

import pytest

from libra.config.sample import render_sample
from tests.support.cli import invoke


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "libra.yaml"


def test_good_settings_are_summed_up(file: Path) -> None:
    file.write_text(
        "worker: {name: web1, driver: noop}\n"
        "job_servers: [{host: gear1, ca: /a, cert: /b, key: /c}, {host: '::1'}]\n"
    )
    result = invoke("config", "check", str(file), environ={"LIBRA_LOGGING__FORMAT": "json"})
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{file}: the settings are good\n")
    for words in ("web1, driver noop", "gear1:4730 (TLS), [::1]:4730", "info, as json"):
        assert words in result.stdout


def test_every_fault_is_told(file: Path) -> None:
    file.write_text("worker: {name: a b, nmae: x}\n")
    result = invoke("config", "check", str(file), environ={"LIBRA_LOGGING__LEVEL": "loud"})
    assert (result.exit_code, result.stdout) == (1, "")
    assert [line.split(": must")[0] for line in result.stderr.splitlines()] == [
        f"{file}: worker.name",
        f"{file}: worker.nmae: no such setting; did you mean 'name'?",
        "LIBRA_LOGGING__LEVEL",
    ]


def test_what_is_not_installed_is_a_fault(file: Path) -> None:
    file.write_text("worker: {driver: nginx}\nvip: {adapter: bgp}\n")
    result = invoke("config", "check", str(file))
    assert (result.exit_code, result.stdout) == (1, "")
    driver, adapter = result.stderr.splitlines()
    assert driver == (
        f"{file}: worker.driver: must be an installed driver (haproxy, noop), got 'nginx'"
    )
    assert adapter.startswith(f"{file}: vip.adapter: must be an installed adapter (")
    assert adapter.endswith("), got 'bgp'")


def test_it_is_told_beside_all_other_faults_and_where_it_was_set(file: Path) -> None:
    file.write_text("worker: {driver: nginx}\nvip: {adapter: 7}\nlogging: {level: loud}\n")
    result = invoke("config", "check", str(file), environ={"LIBRA_WORKER__DRIVER": "apache"})
    assert result.exit_code == 1
    assert sorted(line.split(": must")[0] for line in result.stderr.splitlines()) == [
        f"{file}: logging.level",
        f"{file}: vip.adapter",
        "LIBRA_WORKER__DRIVER",
    ]


def test_a_missing_file_is_a_fault(file: Path) -> None:
    result = invoke("config", "check", str(file))
    assert (result.exit_code, result.stderr) == (
        1,
        f"{file}: cannot be read: there is no such file\n",
    )


def test_the_sample_is_printed_and_passes_the_check(file: Path) -> None:
    result = invoke("config", "sample")
    assert result.stdout == render_sample()
    file.write_text(result.stdout)
    assert invoke("config", "check", str(file)).exit_code == 0
