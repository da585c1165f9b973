"""The reference of the scheduler's commands against the real tree of commands: none is missing, none is invented."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from libra.cli.app import app

DOC = Path(__file__).parents[3] / "doc/reference/cloud-scheduler.md"
STATUS = {  # every option of cloud_status that does something
    "none": (),
    "-a": ("--all-cluster",),
    "-c": ("--cluster",),
    "-m": ("--virtual-machines",),
    "-u": ("--vm-status",),
    "-n": ("--vm-info",),
    "-j": ("--json",),
    "-d": ("--developer-information",),
    "-q": ("--job-queue",),
    "-i": ("--ip-address",),
    "-b": ("--boot-time",),
    "-t": ("--diff_type",),
    "-g": ("--avg_job_time",),
    "-l": ("--cloud-conf",),
    "-o": ("--total-vms",),
    "-r": ("--missing-vms",),
    "-x": ("--heart-beats",),
    "-z": ("--boot-failures",),
    "-w": ("--image-failures",),
    "-v": ("--version",),
}
ADMIN = [f"-{letter}" for letter in "kmoxedriqjtylpvCcnabu"]
ROW = re.compile(r"^\| (?P<option>[^|]+) \| (?P<command>[^|]*) \| (?P<url>[^|]+) \|$", re.MULTILINE)


def section(title: str) -> list[re.Match[str]]:
    text = DOC.read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return list(ROW.finditer(text))[2:]  # behind the head and the line below it


def commands(title: str) -> list[str]:
    found = (re.match(r"`(libra [^`]+)`", row["command"]) for row in section(title))
    return [match[1] for match in found if match]


@cache
def tree() -> Any:
    return typer.main.get_command(app)


def resolve(words: list[str]) -> tuple[Any, list[str], list[str]]:
    """The command, the words that lead to it, and those that are its own."""
    command = tree()
    for place, word in enumerate(words):
        if word not in getattr(command, "commands", ()):
            return command, words[:place], words[place:]
        command = command.commands[word]
    return command, words, []


@pytest.mark.parametrize("command", [*commands("cloud_status"), *commands("cloud_admin")])
def test_a_command_of_the_table_is_there(command: str) -> None:
    found, path, arguments = resolve(command.split()[1:])
    assert len(path) >= 1
    options = {name for item in found.params for name in item.opts}
    given = [word for word in arguments if not word.startswith("-")]
    for word in arguments:
        assert not word.startswith("-") or word in options, word
    wanted = [item for item in found.params if item.param_type_name == "argument" and item.required]
    assert hasattr(found, "commands") or len(given) >= len(wanted)


def test_every_command_is_in_the_table() -> None:
    named = {
        " ".join(resolve(text.split()[1:])[1])
        for text in (*commands("cloud_status"), *commands("cloud_admin"))
    }
    there = {
        " ".join(path)
        for group in ("status", "admin")
        for path in leaves(tree().commands[group], (group,))
    }
    assert there <= named


def leaves(command: Any, path: tuple[str, ...]) -> list[tuple[str, ...]]:
    if not hasattr(command, "commands"):
        return [path]
    return [leaf for name, one in command.commands.items() for leaf in leaves(one, (*path, name))]


def test_every_option_of_cloud_status_has_its_counterpart() -> None:
    options = " ".join(row["option"] for row in section("cloud_status"))
    words = set(re.findall(r"(?<![\w-])(none|--?[\w-]+)", options))
    assert words == {*STATUS, *(name for names in STATUS.values() for name in names), "none"} | {
        "--all-cluster"
    }


def test_every_option_of_cloud_admin_has_its_counterpart() -> None:
    options = " ".join(row["option"] for row in section("cloud_admin"))
    assert set(re.findall(r"(?<![\w-])-\w", options)) == set(ADMIN)


def test_every_url_of_the_page_is_in_the_reference() -> None:
    text = DOC.read_text()
    page = (Path(__file__).parents[2] / "data/scheduler-urls.txt").read_text()
    for line in page.splitlines():
        method, url = line.split(maxsplit=1)
        path = re.split(r"[?\[]", url)[0].replace("VMID", "VM").replace("JOBID", "JOB")
        path = path.removesuffix(".json")
        assert f"`{path}`" in text or f"`{path}`," in text, (method, url)
