"""Why a reload is needed, told from two texts of libra's own: which of their sections differ, and in which lines. Pure.

Servers and suspension do not count, they go at runtime; and only keywords are told, for a value may be a secret.
"""

from collections.abc import Iterator

MOST = 20  # sentences
SETTINGS = "the settings of this host"
_KINDS = {"frontend": "the listener", "backend": "the pool"}
_TWO_WORDS = ("option", "timeout", "http-check", "stats", "no")
# what goes at runtime, and what another section's line brings along
_NOT_TOLD = ("server", "disabled", "description", "localpeer")
_NOT_SHOWN = "peers"

Sections = dict[str, list[str]]  # the lines of a section by its title


def explain_reload(before: str, after: str) -> tuple[str, ...]:
    """One sentence a section that differs; empty where none does."""
    reasons = list(_reasons(_parse(before), _parse(after)))
    left_out = len(reasons) - MOST
    return (*reasons[:MOST], *((f"{left_out} more such reasons",) if left_out > 0 else ()))


def _reasons(old: Sections, new: Sections) -> Iterator[str]:
    for title in {**old, **new}:
        if title not in new:
            yield f"{title} was removed"
        elif title not in old:
            yield f"{title} was added"
        elif old[title] != new[title]:
            yield f"{title} changed: {', '.join(_keywords(old[title], new[title]))}"


def _keywords(old: list[str], new: list[str]) -> list[str]:
    """Of the lines that are in one of them only, each once; "order" where there is none."""
    differing = [line for line in (*old, *new) if (line in old) != (line in new)]
    return list(dict.fromkeys(map(_keyword, differing))) or ["order"]


def _keyword(line: str) -> str:
    words = line.split()
    return " ".join(words[: 2 if words[0] in _TWO_WORDS else 1])


def _parse(text: str) -> Sections:
    sections: Sections = {}
    lines = sections.setdefault(SETTINGS, [])
    for line in text.splitlines():
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if not line.startswith(" "):
            lines = sections.setdefault(_title(words), [])
        elif words[0] not in _NOT_TOLD:
            lines.append(line)
    sections.pop(_NOT_SHOWN, None)
    return sections


def _title(words: list[str]) -> str:
    if words[0] == _NOT_SHOWN:
        return _NOT_SHOWN
    kind = _KINDS.get(words[0])
    return f"{kind} {words[-1]}" if kind else SETTINGS
