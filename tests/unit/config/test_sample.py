"""The generated sample and reference: fresh, loadable, complete, the same on every machine."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from libra.config.load import load_settings
from libra.config.reference import render_reference
from libra.config.sample import render_sample
from libra.config.settings import Settings
from libra.config.words import section_of, walk

ROOT = Path(__file__).resolve().parents[3]
GENERATED = [
    ("etc/libra.yaml", render_sample),
    ("doc/reference/settings.md", render_reference),
]


@pytest.mark.parametrize(("name", "render"), GENERATED)
def test_what_is_in_the_tree_is_fresh(name: str, render: Callable[[], str]) -> None:
    assert (ROOT / name).read_text() == render(), "stale: run tools/sample_config.py"


@pytest.mark.parametrize(("name", "render"), GENERATED)
def test_no_machine_shows_in_it(
    name: str, render: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = render()
    monkeypatch.setattr("socket.gethostname", lambda: "some-other-host")
    assert render() == before


def test_the_sample_gives_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "libra.yaml"
    file.write_text(render_sample())
    assert load_settings(file, {}) == Settings()


def test_with_every_key_uncommented_only_the_examples_differ(tmp_path: Path) -> None:
    file = tmp_path / "libra.yaml"
    file.write_text(re.sub(r"^( *)#(?=\S)", r"\1", render_sample(), flags=re.MULTILINE))
    settings = load_settings(file, {})
    assert settings.job_servers[0].key == Path("/etc/libra/tls/worker.key")
    for path, field in walk(Settings):
        if section_of(field.annotation) is None and not field.examples:
            assert look_up(settings, path) == field.default, path


def test_every_key_is_in_both() -> None:
    for path, field in walk(Settings):
        assert re.search(rf"^ *(- )?#?{path[-1]}:", render_sample(), re.MULTILINE), path
        if section_of(field.annotation) is None:
            assert f"| `{path[-1]}` |" in render_reference(), path
            assert field.description, path


def look_up(settings: object, path: tuple[str, ...]) -> object:
    for name in path:
        settings = getattr(settings, name)
    return settings
