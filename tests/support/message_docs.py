"""Puts the pairs of tests/data/messages into doc/reference/messages*.md: `python -m tests.support.message_docs`.

Between "<!-- pair: NAME -->" and "<!-- end -->" stand the request and the whole reply, and between
"<!-- short pair: NAME -->" and "<!-- end -->" the request and what the reply adds.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from tests.support.messages import BYTES, DIRECTORY, JsonObject, Pair, load_pair

DOCUMENT = DIRECTORY.parents[2] / "doc" / "reference" / "messages.md"
SECOND_DOCUMENT = DOCUMENT.with_name("messages-2.md")
DOCUMENTS = (DOCUMENT, SECOND_DOCUMENT)
_PLACE = re.compile(r"<!-- (short )?pair: (\S+) -->\n.*?<!-- end -->", re.DOTALL)


def fill_in(text: str) -> str:
    """The document's text with every pair as it is on file."""
    return _PLACE.sub(_render, text)


def _render(place: re.Match[str]) -> str:
    short, name = place.groups()
    pair = load_pair(DIRECTORY / f"{name}.json")
    mark = f"<!-- {short or ''}pair: {name} -->"
    title = "The reply adds" if short else "Reply"
    reply = pair.added() if short else dict(pair.reply)
    if BYTES in reply:
        reply[BYTES] = 163  # the compressor's version decides
    return (
        f"{mark}\n{pair.about}{_before(pair)}\n\nRequest:\n\n{_block(pair.request)}\n\n"
        f"{title}:\n\n{_block(reply)}\n<!-- end -->"
    )


def _before(pair: Pair) -> str:
    if not pair.before:
        return ""
    actions = [f"`{message['hpcs_action']}`" for message in pair.before]
    return f" Before it came {', '.join(actions)}."


def _block(value: JsonObject) -> str:
    return f"```json\n{json.dumps(value, indent=2, ensure_ascii=False)}\n```"


def main(paths: Iterable[Path] = DOCUMENTS) -> None:
    """Rewrite the documents."""
    for path in paths:
        path.write_text(fill_in(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
