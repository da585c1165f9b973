"""Events as lines."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from libra.errors import StateError
from libra.logs import configure_logging

TOKEN = "gAAAA-very-secret"


@pytest.fixture(autouse=True)
def untouched_root() -> Iterator[None]:
    """The test runner has handlers of its own."""
    root, own = logging.getLogger(), logging.getLogger("libra")
    before = (list(root.handlers), root.level, own.level)
    root.handlers = []
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers, root.level, own.level = before
    structlog.reset_defaults()


def written(file: Path) -> list[str]:
    return file.read_text().splitlines()


def test_text_is_one_line_whatever_comes_in(tmp_path: Path) -> None:
    configure_logging(file=tmp_path / "log")
    structlog.get_logger("libra.test").info(
        "job answered\nREADY", action="UPDATE", error="it's 'a\nb'", number=1.5, nothing=None
    )
    (line,) = written(tmp_path / "log")
    time, rest = line.split(maxsplit=1)
    assert time.endswith("Z")
    assert rest == (
        "info     job answered\\nREADY  action=UPDATE error=\"it's 'a\\nb'\" number=1.5"
    )


def test_json_is_an_object_a_line(tmp_path: Path) -> None:
    configure_logging(as_json=True, file=tmp_path / "log")
    structlog.get_logger("libra.test").warning("odd", action="x", path=Path("/tmp"))
    (line,) = written(tmp_path / "log")
    event = json.loads(line)
    assert event.pop("timestamp")
    assert event.pop("logger") == "libra.test"
    assert event == {"level": "warning", "event": "odd", "action": "x", "path": "/tmp"}


@pytest.mark.parametrize("as_json", [True, False])
def test_a_traceback_shows_no_local_variables(tmp_path: Path, as_json: bool) -> None:
    configure_logging(as_json=as_json, file=tmp_path / "log")
    token = TOKEN
    try:
        raise ValueError(len(token))
    except ValueError:
        structlog.get_logger("libra.test").exception("failed", action="x")
    text = (tmp_path / "log").read_text()
    assert "ValueError: 17" in text
    assert TOKEN not in text


def test_libraries_are_heard_from_warning_on(tmp_path: Path) -> None:
    configure_logging(level="debug", file=tmp_path / "log")
    for library in ("gear", "swiftclient", "urllib3.connectionpool", "some.other"):
        logging.getLogger(library).info("payload %s", TOKEN)
    logging.getLogger("gear").warning("lost %s", "job1")
    structlog.get_logger("libra.test").debug("ours")
    first, second = written(tmp_path / "log")
    assert "lost job1" in first
    assert "ours" in second


def test_the_level_can_change_while_loggers_are_in_use(tmp_path: Path) -> None:
    log = structlog.get_logger("libra.test")
    configure_logging(level="error", file=tmp_path / "log")
    log.warning("unheard")
    configure_logging(level="info", file=tmp_path / "log")
    log.info("heard")
    (line,) = written(tmp_path / "log")
    assert "heard" in line


def test_standard_error_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stream := io.StringIO())
    configure_logging()
    structlog.get_logger("libra.test").info("here")
    assert "here" in stream.getvalue()


def test_a_rotated_file_is_opened_anew(tmp_path: Path) -> None:
    configure_logging(file=tmp_path / "log")
    log = structlog.get_logger("libra.test")
    log.info("first")
    (tmp_path / "log").rename(tmp_path / "log.1")
    log.info("second")
    assert "first" in (tmp_path / "log.1").read_text()
    assert "second" in (tmp_path / "log").read_text()


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"^cannot write the log .*: Is a directory"):
        configure_logging(file=tmp_path)
