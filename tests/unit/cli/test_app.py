"""The command line as a whole."""

import pytest

from libra import __version__
from tests.support.cli import invoke


def test_the_version() -> None:
    result = invoke("--version")
    assert (result.exit_code, result.stdout) == (0, f"libra {__version__}\n")


@pytest.mark.parametrize("group", [(), ("job",), ("config",)])
def test_a_group_alone_shows_its_help(group: tuple[str, ...]) -> None:
    assert "Usage: libra" in invoke(*group, "--help").stdout
    assert "Commands" in invoke(*group).output


@pytest.mark.parametrize(
    ("command", "example"),
    [
        (("job", "send"), "libra job send UPDATE --device web1 --message update.json"),
        (("config", "check"), "libra config check /etc/libra/libra.yaml"),
        (("jobserver",), "libra jobserver --port 0"),
    ],
)
def test_help_has_examples(command: tuple[str, ...], example: str) -> None:
    result = invoke(*command, "--help")
    assert result.exit_code == 0
    assert example in result.stdout


def test_a_misspelt_command_is_corrected() -> None:
    result = invoke("jobs")
    assert result.exit_code == 2
    assert "job" in result.stderr


def test_what_was_typed_is_not_obeyed_when_it_is_shown() -> None:
    for arguments in (("config", "check", "/none\x07"), ("job", "send", "a\x1b", "-d", "x\x1b")):
        result = invoke(*arguments)
        assert result.stderr
        assert all(line.isprintable() for line in result.stderr.splitlines())
