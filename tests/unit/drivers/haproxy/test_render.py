"""Rendering: stable, marked, and nothing of a message can break out of its word."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.drivers.haproxy.build import build
from libra.drivers.haproxy.config import Options
from libra.drivers.haproxy.render import (
    MARK,
    description_of,
    render,
    structure_in,
    structure_of,
    word,
)
from libra.errors import Invalid
from libra.model.loadbalancer import Desired
from tests.support.desired import build_desired, desireds

OPTIONS = Options(
    admin_socket="/run/libra/admin.sock",
    log_target="stdout",
    version=(2, 6),
    hard_stop_after=timedelta(hours=1),
)


def text_of(desired: Desired) -> str:
    return render(build(desired, OPTIONS))


@given(desireds())
def test_equal_states_give_equal_bytes(desired: Desired) -> None:
    assert text_of(desired) == text_of(desired)


@given(desireds(), desireds())
def test_the_description_tells_texts_apart(one: Desired, other: Desired) -> None:
    same = text_of(one) == text_of(other)
    assert (description_of(text_of(one)) == description_of(text_of(other))) == same


@given(desireds())
def test_a_text_carries_its_own_digest_until_it_is_changed(desired: Desired) -> None:
    text = text_of(desired)
    assert text.startswith(MARK)
    assert description_of(text) is not None
    assert description_of(text.replace("retries 3", "retries 4", 1)) is None
    assert description_of(text + "\n") is None


@pytest.mark.parametrize("name", ["haproxy-1-one-digest", "haproxy-2-two-digests"])
def test_a_text_of_an_earlier_release_is_libras(name: str) -> None:
    """Else an upgrade would refuse it as one that was changed by hand."""
    text = (Path(__file__).parents[3] / "data" / "states" / f"{name}.cfg").read_text()
    description = description_of(text)
    assert description is not None
    assert f"    description {description}\n" in text
    assert description_of(text.replace("10.0.0.1", "10.0.0.9")) is None
    assert (structure_in(description) is None) == (name == "haproxy-1-one-digest")


def test_a_foreign_text_has_no_digest() -> None:
    zeros = "0" * 32
    assert description_of(f"global\n    description libra {zeros} {zeros}\n") is None


@given(desireds())
def test_every_line_is_of_a_known_kind(desired: Desired) -> None:
    sections = ("global", "defaults", "frontend ", "backend ", "#")
    for line in text_of(desired).splitlines():
        assert not line or line.startswith(sections) or line.startswith("    ")


@given(desireds())
def test_one_server_line_a_member(desired: Desired) -> None:
    members = [m for lb in desired.loadbalancers for li in lb.listeners for m in li.pool.members]
    lines = [li for li in text_of(desired).splitlines() if li.startswith("    server ")]
    assert len(lines) == len(members)


def test_suspended_frontends_do_not_listen() -> None:
    assert "    disabled\n" in text_of(build_desired(80, suspended=True))
    assert "    disabled\n" not in text_of(build_desired(80))


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\x00b", "a\x7fb", "a\u2028b", "a\x85b"])
def test_control_characters_are_never_written(text: str) -> None:
    with pytest.raises(Invalid):
        word(text)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=30))
def test_a_word_stays_one_word(text: str) -> None:
    written = word(text)
    bare = written.replace("'\\''", "") if written.startswith("'") else written
    assert bare.count("'") in (0, 2)
    if not written.startswith("'"):
        assert not set(written) & set(" \t#\"'\\$")


def test_the_structure_is_everything_but_servers_and_suspension() -> None:
    one = build(build_desired(81), OPTIONS)
    other = build(build_desired(82, 83, suspended=True), OPTIONS)
    assert structure_of(one) == structure_of(other)
    assert structure_of(one) != structure_of(build(build_desired(81, listen=1), OPTIONS))
    assert structure_in(description_of(render(one))) == structure_of(one)


@pytest.mark.parametrize("description", [None, "", "libra", "libra a", "other a b"])
def test_a_foreign_description_has_no_structure(description: str | None) -> None:
    assert structure_in(description) is None
