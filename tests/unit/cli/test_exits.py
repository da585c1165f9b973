"""What is not installed is told in a sentence, and only that."""

import pytest
import typer

from libra.cli.exits import FAILED, errors_as_exits


def test_the_api_side_may_not_be_installed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as caught, errors_as_exits():
        raise ModuleNotFoundError("x", name="sqlalchemy.orm")
    assert caught.value.exit_code == FAILED
    words = "libra: sqlalchemy.orm is missing: pip install 'libra[controller]'\n"
    assert capsys.readouterr().err == words


def test_a_module_of_ours_that_is_missing_is_a_fault() -> None:
    with pytest.raises(ModuleNotFoundError), errors_as_exits():
        raise ModuleNotFoundError("x", name="libra.nothing")
