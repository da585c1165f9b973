"""Puts the cases to a server, and says what came back: a status, and what keys there are."""

import json
from collections.abc import Callable
from typing import Any

import httpx

from tests.support.octaviacases import NONE, Case, build_cases

Answer = dict[str, Any]


def ask_all(
    client: httpx.Client, known: dict[str, str], settle: Callable[[], object]
) -> dict[str, Answer]:
    """By case. `known` is what {subnet} and {provider} are; `settle` waits until nothing is on its way."""
    values = {"none": NONE, **known}
    answers = {}
    for case in build_cases():
        assert case.name not in answers, case.name
        response = _ask(client, case, values)
        answers[case.name] = {"status": response.status_code, "keys": _shape(response)}
        if case.save and response.status_code < 300:
            (made,) = response.json().values()
            values[case.save] = made["id"]
        if not case.busy:
            settle()
    return answers


def _ask(client: httpx.Client, case: Case, values: dict[str, str]) -> httpx.Response:
    path = _fill(case.path, values)
    url = path if path.startswith("/v2") else f"/v2/lbaas{path}"
    headers = {"Content-Type": "application/json"} if case.body is not None else {}
    text = case.body if isinstance(case.body, str) else json.dumps(case.body)
    content = None if case.body is None else _fill(text, values)
    return client.request(case.method, url, content=content, headers=headers)


def _fill(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _shape(response: httpx.Response) -> Any:
    """The keys of the body, and of what is in its envelope; lists by their first."""
    try:
        body = response.json()
    except ValueError:
        return "text" if response.content else "nothing"
    return _keys(body, deep=True)


def _keys(body: Any, *, deep: bool) -> Any:
    if not isinstance(body, dict):
        return type(body).__name__
    if not deep or "faultstring" in body:
        return sorted(body)
    return {name: _inside(value) for name, value in sorted(body.items())}


def _inside(value: Any) -> Any:
    if isinstance(value, list):
        return [_keys(value[0], deep=False)] if value else []
    return _keys(value, deep=False)
