"""The settings as a small process gets them: checked elsewhere, the same values."""

import os
from pathlib import Path

import pytest

from libra.config.changes import diff_settings
from libra.config.checking import WORKERS
from libra.config.load import load_settings
from libra.config.reading import read_settings
from libra.config.settings import Settings
from libra.config.values import Values
from libra.errors import Invalid

FULL = """
job_servers: [{host: "[::1]", port: 4731}, {host: JOBS.example}]
worker: {name: web1, driver: noop, state_dir: /var/lib/other}
haproxy: {supervisor: OWN, extra_global: ["nbthread 2"], drain_policy: keep}
vip: {adapter: interface, networks: [203.0.113.16/28]}
object_stores: {swift: {allowed_endpoints: ["http://127.0.0.1:*"], attempts: 2}}
database: {url: "postgresql://libra:hidden@db/libra"}
logging: {level: debug, format: json}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A settings file that sets something everywhere."""
    path = tmp_path / "libra.yaml"
    path.write_text(FULL)
    return path


def assert_same(values: object, model: object) -> None:
    """Attribute by attribute, and the very same types below."""
    if isinstance(values, Values):
        assert vars(values).keys() == vars(model).keys()
        for name, value in vars(values).items():
            assert_same(value, getattr(model, name))
    elif isinstance(values, tuple):
        assert isinstance(model, tuple)
        for one, other in zip(values, model, strict=True):
            assert_same(one, other)
    else:
        assert values == model
        assert type(values) is type(model)


def test_the_values_are_those_of_the_model(file: Path) -> None:
    read, loaded = read_settings(file, os.environ), load_settings(file, os.environ)
    assert tuple(vars(read)) == WORKERS
    for name in WORKERS:
        assert_same(getattr(read, name), getattr(loaded, name))


def test_what_is_the_controllers_stays_away(file: Path) -> None:
    assert "hidden" not in repr(read_settings(file, os.environ))


def test_the_environment_counts(file: Path) -> None:
    environ = {**os.environ, "LIBRA_WORKER__NAME": "web2"}
    assert read_settings(file, environ).worker.name == "web2"


@pytest.mark.parametrize("text", ["worker: {nam: x}\nhaproxy: {adopt: 7}\n", "a: [", "\x00"])
def test_faults_come_in_the_same_words(tmp_path: Path, text: str) -> None:
    file = tmp_path / "libra.yaml"
    file.write_text(text)
    with pytest.raises(Invalid) as loaded:
        load_settings(file, {})
    with pytest.raises(Invalid) as read:
        read_settings(file, os.environ)
    assert str(read.value) == str(loaded.value)


def test_values_are_frozen_and_comparable(file: Path) -> None:
    settings = read_settings(file, os.environ)
    assert settings == read_settings(file, os.environ)
    with pytest.raises(AttributeError, match="frozen"):
        settings.worker.name = "other"  # type: ignore[misc]
    with pytest.raises(AttributeError, match="frozen"):
        del settings.worker.name


def test_differences_are_those_of_the_models(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(FULL.replace("web1", "web2").replace("debug", "error"))
    values = diff_settings(read_settings(file, os.environ), read_settings(other, os.environ))
    models = diff_settings(load_settings(file, {}), load_settings(other, {}))
    assert values.needs_restart == models.needs_restart == ("worker.name",)
    assert values.sections == models.sections == {"logging"}
    assert values.settings.worker.name == models.settings.worker.name == "web1"


def test_nothing_from_the_present_directory_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    (tmp_path / "yaml.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    assert isinstance(read_settings(file, os.environ), Values)


def test_a_check_that_breaks_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("libra.config.reading._COMMAND", ("/bin/false",))
    with pytest.raises(Invalid, match="the check ended with 1"):
        read_settings(file, os.environ)
    monkeypatch.setattr("libra.config.reading._COMMAND", ("/no/such/program",))
    with pytest.raises(Invalid, match="cannot be checked: No such file"):
        read_settings(file, os.environ)


def test_a_check_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("libra.config.reading._COMMAND", ("/bin/sleep",))
    monkeypatch.setattr("libra.config.reading.DEADLINE_SECONDS", 0.5)
    beats: list[None] = []
    with pytest.raises(Invalid, match="not checked within"):
        read_settings(Path("60"), os.environ, lambda: beats.append(None))
    assert len(beats) > 2, "nobody tells the watchdog meanwhile"


def test_defaults_are_those_of_the_model(tmp_path: Path) -> None:
    file = tmp_path / "empty.yaml"
    file.write_text("")
    assert_same(read_settings(file, os.environ).haproxy, Settings().haproxy)
