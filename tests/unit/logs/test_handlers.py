"""Where lines go, and that nothing there disturbs the work."""

import io
import logging
import os
from pathlib import Path

import pytest

from libra.logs.handlers import is_journal, is_terminal, open_file, open_stream

RECORD = logging.LogRecord("x", logging.INFO, __file__, 1, "hello", None, None)


class Failing(io.StringIO):
    def __init__(self, error: OSError) -> None:
        super().__init__()
        self._error = error

    def write(self, text: str) -> int:
        raise self._error


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_stream_that_is_closed_or_missing_takes_the_line_in_silence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stream = io.StringIO()
    handler = open_stream(stream)
    stream.close()
    handler.handle(RECORD)
    open_stream(None).handle(RECORD)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("error", [BrokenPipeError(), BlockingIOError(), OSError(28, "full")])
def test_a_stream_that_cannot_be_written_takes_the_line_in_silence(
    error: OSError, capsys: pytest.CaptureFixture[str]
) -> None:
    open_stream(Failing(error)).handle(RECORD)
    assert capsys.readouterr() == ("", "")


def test_a_file_whose_directory_went_away_is_written_again_once_it_is_back(tmp_path: Path) -> None:
    place = tmp_path / "logs"
    place.mkdir()
    handler = open_file(place / "log")
    (place / "log").unlink()
    place.rmdir()
    handler.handle(RECORD)
    place.mkdir()
    handler.handle(RECORD)
    handler.close()
    assert (place / "log").read_text() == "hello\n"


def test_the_journal_is_known_by_the_stream_and_not_by_the_variable_alone(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as stream, (tmp_path / "other").open("w") as other:
        status = os.fstat(stream.fileno())
        environ = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        assert is_journal(stream, environ)
        assert not is_journal(other, environ)
        assert not is_journal(stream, {})
    assert not is_journal(stream, environ)  # closed
    assert not is_journal(io.StringIO(), environ)
    assert not is_journal(None, environ)


def test_colours_are_for_terminals_that_want_them() -> None:
    assert is_terminal(Terminal(), {"TERM": "xterm"})
    assert not is_terminal(Terminal(), {"TERM": "dumb"})
    assert not is_terminal(Terminal(), {"NO_COLOR": "1"})
    assert not is_terminal(io.StringIO(), {})
    assert not is_terminal(None, {})
