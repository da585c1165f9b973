"""Unified diffs that a program could apply, of texts of any size."""

import re

from hypothesis import given
from hypothesis import strategies as st

from libra.drivers.textdiff import MOST_PAIRS, render_diff

_HEADING = re.compile(r"@@ -(\d+),(\d+) \+(\d+),(\d+) @@")
texts = st.lists(st.sampled_from(["a", "b", "c", "", "-", "@@", *map(str, range(12))])).map(
    "\n".join
)


def patch(before: str, diff: str) -> list[str]:
    """What `patch` makes of it; every line that stays must be there."""
    old, new, place = before.splitlines(), [], 0
    for line in diff.splitlines()[2:]:
        heading = _HEADING.fullmatch(line)
        if heading:
            start = int(heading[1]) - (heading[2] != "0")
            new += old[place:start]
            place = start
            assert len(new) == int(heading[3]) - (heading[4] != "0")
        elif line.startswith("+"):
            new.append(line[1:])
        else:
            assert old[place] == line[1:]
            place += 1
            if line.startswith(" "):
                new.append(line[1:])
    return new + old[place:]


@given(texts, texts, st.integers(0, 3))
def test_it_leads_from_one_text_to_the_other(before: str, after: str, context: int) -> None:
    diff = render_diff(before, after, context=context)
    assert patch(before, diff) == after.splitlines()
    assert bool(diff) == (before.splitlines() != after.splitlines())


def test_it_looks_as_people_know_it() -> None:
    before = "\n".join("abcdefghij")
    after = before.replace("e", "E").replace("b\n", "")
    assert render_diff(before, after, context=1).splitlines() == [
        "--- installed",
        "+++ wanted",
        "@@ -1,6 +1,5 @@",
        " a",
        "-b",
        " c",
        " d",
        "-e",
        "+E",
        " f",
    ]


def test_from_nothing() -> None:
    assert render_diff("", "a\n").splitlines()[2:] == ["@@ -0,0 +1,1 @@", "+a"]


def test_every_second_line_of_thousands() -> None:
    """With difflib alone this takes minutes."""
    lines = [f"server {number} weight 1" for number in range(20_000)]
    changed = [line.replace("1", "x") if n % 2 else line for n, line in enumerate(lines)]
    diff = render_diff("\n".join(lines), "\n".join(changed), context=0)
    assert patch("\n".join(lines), diff) == changed
    assert len(diff.splitlines()) == 2 + 3 * 10_000


def test_thousands_of_lines_without_a_tie() -> None:
    before, after = ["same", "same"] * MOST_PAIRS, ["same", "other"] * MOST_PAIRS
    diff = render_diff("\n".join(before), "\n".join(after))
    assert patch("\n".join(before), diff) == after
