"""What a reload changes."""

from pathlib import Path

from libra.config.changes import FIXED, diff_settings
from libra.config.settings import Settings

OLD = Settings.model_validate({"worker": {"name": "web1"}})


def changed(**sections: object) -> Settings:
    return Settings.model_validate({"worker": {"name": "web1"}, **sections})


def test_equal_settings_change_nothing() -> None:
    changes = diff_settings(OLD, changed())
    assert (changes.settings, changes.sections, changes.needs_restart) == (OLD, frozenset(), ())


def test_what_can_change_is_taken() -> None:
    new = changed(
        haproxy={"extra_global": ["nbthread 2"]},
        logging={"level": "debug"},
        job_servers=[{"host": "job1"}],
    )
    changes = diff_settings(OLD, new)
    assert changes.settings == new
    assert changes.sections == {"haproxy", "logging", "job_servers"}
    assert changes.needs_restart == ()


def test_what_needs_a_restart_keeps_its_old_value() -> None:
    new = changed(
        worker={"name": "web2", "drain_seconds": 5, "state_dir": "/elsewhere"},
        haproxy={"supervisor": "own"},
    )
    changes = diff_settings(OLD, new)
    assert changes.needs_restart == ("worker.name", "worker.state_dir", "haproxy.supervisor")
    assert changes.settings.worker.name == "web1"
    assert changes.settings.worker.state_dir == Path("/var/lib/libra")
    assert changes.settings.worker.drain_seconds == 5
    assert changes.sections == {"worker"}  # haproxy's one change waits for the restart


def test_fixed_keys_exist() -> None:
    for section, keys in FIXED.items():
        assert set(keys) <= set(type(getattr(OLD, section)).model_fields)
