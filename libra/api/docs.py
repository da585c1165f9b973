"""The page /docs: the OpenAPI document as plain HTML, for there may be no internet to load scripts from."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
h2{margin-top:2rem;border-bottom:1px solid #ccc}code{background:#f3f3f3;padding:.1rem .3rem}
.m{display:inline-block;width:4.5rem;font-weight:bold}li{margin:.2rem 0}
"""


def render_docs(document: Mapping[str, Any]) -> str:
    """A heading a tag, a line an operation."""
    info = document["info"]
    body = "\n".join(_sections(document))
    title = escape(f"{info['title']} {info['version']}")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style><h1>{title}</h1><p>{escape(info['description'])} "
        'The whole document: <a href="/openapi.json">/openapi.json</a>.</p>'
        f"{body}</html>"
    )


def _sections(document: Mapping[str, Any]) -> Iterator[str]:
    groups: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            tag = str((operation.get("tags") or ["other"])[0])
            words = escape(operation.get("description") or operation.get("summary") or "")
            groups.setdefault(tag, []).append(
                f'<li><span class="m">{method.upper()}</span><code>{escape(path)}</code> {words}'
            )
    for tag, lines in groups.items():
        yield f"<h2>{escape(tag)}</h2><ul>{''.join(lines)}</ul>"
