"""The configuration file on disk: whose it is, and what is kept beside it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from libra.drivers.haproxy.binary import Binary
from libra.drivers.haproxy.build import build
from libra.drivers.haproxy.install import ConfigurationFile, Installed
from libra.drivers.haproxy.render import description_of, render
from libra.errors import ConfigurationRejected, DriverError, StateError
from tests.support.desired import build_desired
from tests.unit.drivers.haproxy.test_build import OPTIONS


def text_of(listen: int) -> str:
    return render(build(build_desired(1, listen=listen), OPTIONS))


@pytest.fixture
def file(tmp_path: Path) -> ConfigurationFile:
    return ConfigurationFile(tmp_path / "new" / "haproxy.cfg")


def install_unchecked(file: ConfigurationFile, listen: int) -> None:
    text = text_of(listen)
    file.install_unchecked(text, description_of(text) or "")


def checking(tmp_path: Path, script: str) -> Binary:
    """A program whose check ends as wished."""
    path = tmp_path / "haproxy"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    return Binary(path, timedelta(seconds=10))


def test_installed_texts_are_known_again(file: ConfigurationFile, tmp_path: Path) -> None:
    assert file.load() == Installed()
    file.install(text_of(81), checking(tmp_path, "exit 0"))
    assert file.load() == Installed(text_of(81), description_of(text_of(81)))
    assert [path.name for path in file.path.parent.iterdir()] == ["haproxy.cfg"]


def test_a_rejected_text_is_kept_beside(file: ConfigurationFile, tmp_path: Path) -> None:
    file.install(text_of(81), checking(tmp_path, "exit 0"))
    words = "echo '[ALERT]    (1) : config : parsing [/x:3] : no good'; exit 1"
    with pytest.raises(ConfigurationRejected, match=r"haproxy\.cfg\.rejected\): line 3: no good$"):
        file.install(text_of(82), checking(tmp_path, words))
    assert file.load().text == text_of(81)
    assert file.path.with_name("haproxy.cfg.rejected").read_text() == text_of(82)


def test_it_goes_back_to_what_was_seen_running(file: ConfigurationFile, tmp_path: Path) -> None:
    binary = checking(tmp_path, "exit 0")
    file.install(text_of(81), binary)
    file.mark_good()
    file.mark_good()
    for listen in (82, 83):
        file.install(text_of(listen), binary)
        assert file.load_last_good().text == text_of(81)
    assert file.put_back(keep_untried=False).text == text_of(81)
    assert file.load().text == text_of(81)
    file.install(text_of(84), binary)
    assert file.load_last_good().text == text_of(81)


@pytest.mark.parametrize("keep", [True, False])
def test_without_a_good_text_there_is_nothing_to_go_back_to(
    file: ConfigurationFile, tmp_path: Path, keep: bool
) -> None:
    file.install(text_of(81), checking(tmp_path, "exit 0"))
    assert file.put_back(keep_untried=keep) == Installed()
    assert file.path.exists() is keep


def test_a_last_good_text_that_somebody_changed_is_not_trusted(
    file: ConfigurationFile, tmp_path: Path
) -> None:
    file.install(text_of(81), checking(tmp_path, "exit 0"))
    file.mark_good()
    with file.path.open("a") as handle:  # an editor that writes in place changes both
        handle.write("# mine\n")
    assert file.load_last_good() == Installed()
    with pytest.raises(DriverError, match="it was changed by hand"):
        file.install(text_of(82), checking(tmp_path, "exit 0"))


def test_an_adopted_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "haproxy.cfg"
    path.write_text("global\n")
    ConfigurationFile(path, adopt=True).install(text_of(81), checking(tmp_path, "exit 0"))
    assert path.with_name("haproxy.cfg.adopted").read_text() == "global\n"
    assert path.read_text() == text_of(81)


def test_a_check_alone_leaves_nothing_behind(file: ConfigurationFile, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    file.check(text_of(81), checking(tmp_path, f'cat "$3" > {seen}; dirname "$3" > {seen}.where'))
    assert seen.read_text() == text_of(81)
    assert file.load() == Installed()
    assert not file.path.parent.exists()
    assert not Path(f"{seen}.where").read_text().strip().startswith(str(tmp_path))
    assert not Path(Path(f"{seen}.where").read_text().strip()).exists()


def test_a_refused_check_leaves_nothing_behind_either(
    file: ConfigurationFile, tmp_path: Path
) -> None:
    file.install(text_of(81), checking(tmp_path, "exit 0"))
    words = "echo '[ALERT]    (1) : config : parsing [/x:3] : no good'; exit 1"
    with pytest.raises(
        ConfigurationRejected, match=r"^cannot use the configuration: line 3: no good$"
    ):
        file.check(text_of(82), checking(tmp_path, words))
    assert [path.name for path in file.path.parent.iterdir()] == ["haproxy.cfg"]
    assert file.load().text == text_of(81)


def test_a_check_has_stand_ins_for_files_that_are_not_there_yet(
    file: ConfigurationFile, tmp_path: Path
) -> None:
    missing, seen = tmp_path / "new" / "clients", tmp_path / "seen"
    text = text_of(81) + f"# map({missing})\n"
    script = f'cat "$3" > {seen}; grep -q known "$(sed -n "s/# map(\\(.*\\))/\\1/p" "$3")"'
    file.check(text, checking(tmp_path, script), {missing: b"known\n"})
    assert str(missing) not in seen.read_text()
    with pytest.raises(ConfigurationRejected):
        file.check(text, checking(tmp_path, script))
    assert not missing.parent.exists()


def test_a_check_refuses_somebody_elses_file_as_an_installation_does(
    file: ConfigurationFile, tmp_path: Path
) -> None:
    file.path.parent.mkdir()
    file.path.write_text("global\n")
    with pytest.raises(DriverError, match="it was not written by libra"):
        file.check(text_of(81), checking(tmp_path, "exit 0"))


def test_a_file_that_was_replaced_is_read_again(file: ConfigurationFile, tmp_path: Path) -> None:
    for listen in (81, 82, 83):
        install_unchecked(file, listen)
        assert file.load().text == text_of(listen)
        assert file.load() is file.load()


def test_what_was_just_written_is_not_read(
    file: ConfigurationFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_unchecked(file, 81)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_text", lambda *_, **__: pytest.fail("it was read"))
        for listen in (82, 83):
            install_unchecked(file, listen)
            file.mark_good()
            assert file.load() == Installed(text_of(listen), description_of(text_of(listen)))
            assert file.load_last_good() == file.load()


def test_what_was_just_written_and_then_changed_is_read(file: ConfigurationFile) -> None:
    install_unchecked(file, 81)
    file.mark_good()
    with file.path.open("a") as text:
        text.write("# by hand\n")
    assert file.load() == Installed(f"{text_of(81)}# by hand\n")


def test_a_directory_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    file = ConfigurationFile(tmp_path / "file" / "haproxy.cfg")
    with pytest.raises(DriverError, match=r"^cannot read .*: Not a directory$"):
        file.load()


def test_what_a_killed_worker_left_is_swept(file: ConfigurationFile) -> None:
    file.sweep()  # where there is not even a directory
    install_unchecked(file, 81)
    file.mark_good()
    for name in ("candidate", "new", "last-good.new", "adopted.new", "rejected"):
        file.path.with_name(f"haproxy.cfg.{name}").touch()
    file.sweep()
    assert {path.name for path in file.path.parent.iterdir()} == {
        "haproxy.cfg",
        "haproxy.cfg.last-good",
        "haproxy.cfg.rejected",
    }


@pytest.fixture
def disk() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_what_is_written_ahead_is_what_is_installed(
    tmp_path: Path, disk: ThreadPoolExecutor
) -> None:
    file = ConfigurationFile(tmp_path / "haproxy.cfg", disk=disk)
    for listen in (81, 82):
        text = text_of(listen)
        with file.written_ahead(text, description_of(text) or ""):
            install_unchecked(file, listen)
        assert file.load().text == text
    with file.written_ahead(text_of(83), description_of(text_of(83)) or ""):
        install_unchecked(file, 84)
    assert file.load().text == text_of(84)
    assert [path.name for path in tmp_path.iterdir()] == ["haproxy.cfg"]


def test_what_was_written_ahead_in_vain_is_gone(tmp_path: Path, disk: ThreadPoolExecutor) -> None:
    file = ConfigurationFile(tmp_path / "haproxy.cfg", disk=disk)
    install_unchecked(file, 81)
    with file.written_ahead(text_of(82), description_of(text_of(82)) or ""):
        assert (tmp_path / "haproxy.cfg.candidate").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["haproxy.cfg"]
    with file.written_ahead(text_of(81), description_of(text_of(81)) or ""):
        assert [path.name for path in tmp_path.iterdir()] == ["haproxy.cfg"]


def test_work_is_done_during_the_check_and_its_failure_ends_it(tmp_path: Path) -> None:
    file = ConfigurationFile(tmp_path / "haproxy.cfg")
    done = tmp_path / "done"
    waiting = checking(tmp_path, f"until [ -e {done} ]; do sleep 0.01; done")
    file.install(text_of(81), waiting, done.touch)
    done.unlink()

    def fail() -> None:
        raise StateError("cannot save")

    with pytest.raises(StateError, match=r"^cannot save$"):
        file.install(text_of(82), waiting, fail)
    assert file.load().text == text_of(81)
    assert not (tmp_path / "haproxy.cfg.candidate").exists()
