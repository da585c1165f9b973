"""What YAML text becomes, and what is refused with the line it stands on."""

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from libra.config import document
from libra.config.document import parse_document

PLAIN = [
    ("on", "on"),
    ("no", "no"),
    ("yes", "yes"),
    ("22:22", "22:22"),
    ("010", "010"),
    ("0x10", "0x10"),
    ("1e3", "1e3"),
    ("1_000", "1_000"),
    ("2020-01-01", "2020-01-01"),
    (".inf", ".inf"),
    ("9" * 30, "9" * 30),
    ("10", 10),
    ("-3", -3),
    ("1.5", 1.5),
    ("true", True),
    ("False", False),
    ("~", None),
    ("", None),
    ("null", None),
    ("'null'", "null"),
    ('"10"', "10"),
]


@pytest.mark.parametrize(("text", "value"), PLAIN)
def test_a_scalar_is_what_it_looks_like(text: str, value: object) -> None:
    parsed = parse_document(f"a: {text}")
    assert parsed.faults == ()
    assert parsed.value == {"a": value}
    assert type(parsed.value["a"]) is type(value)


def test_keys_are_texts() -> None:
    assert parse_document("{on: 1, 22:22: 2, 3: 4}").value == {"on": 1, "22:22": 2, "3": 4}


def test_an_empty_text_is_nothing() -> None:
    for text in ("", "\n", "# only a comment\n", "---\n"):
        assert parse_document(text) == document.Document(None)


REFUSED = [
    ("a: 1\nb: 2\na: 3", "line 3, column 1: the key 'a' is given twice"),
    ("a: &x [1]\nb: *x", "line 2, column 4: aliases (*...) are not taken"),
    ("&x [*x]", "line 1, column 5: aliases"),
    ("a: !!python/object:os.system x", "line 1, column 4: tags (!...) are not taken"),
    ("a: !!int 3", "line 1, column 4: tags"),
    ("--- 1\n--- 2", "line 2, column 1: a second document"),
    ("{a: 1}: 2", "line 1, column 1: a key must be a text"),
    ("? *x\n: 2", "line 1, column 3: aliases"),
    ("a: 'x", "line 1, column 6: "),
    ("a: b: c", "line 1, column 5: "),
    ("a: [1", "line 2, column 1: "),
    ("a:\n\tb: 1", "line 2, column 1: "),
    ("a: \x07", "control characters are not allowed"),
    ("\ud800", "half a surrogate pair"),
    ("[" * 100, "line 1, column 21: nested deeper than 20 levels"),
    ("- " * 100, "nested deeper than 20 levels"),
]


@pytest.mark.parametrize("loader", ["CSafeLoader", "SafeLoader"])
@pytest.mark.parametrize(("text", "fault"), REFUSED)
def test_what_is_no_plain_document_is_refused(
    text: str, fault: str, loader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document, "_LOADER", getattr(yaml, loader))
    faults = parse_document(text).faults
    assert any(fault in one for one in faults) or (loader == "SafeLoader" and faults), faults


def test_every_duplicate_is_told_but_not_without_end() -> None:
    assert len(parse_document("a: 1\na: 2\na: 3\nb: 1\nb: 2").faults) == 3
    assert len(parse_document("a: 1\n" * 10_000).faults) == document.MAX_FAULTS


def test_hostile_depth_costs_nothing() -> None:
    """Without a look at the depth, a megabyte of brackets keeps libyaml busy for minutes."""
    for text in ("[" * 1_000_000, "{" * 1_000_000, "- " * 500_000, "? " * 500_000):
        assert parse_document(text).faults


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.text(st.characters(exclude_categories=("Cs",)))
)
TREES = st.recursive(
    SCALARS,
    lambda below: st.lists(below) | st.dictionaries(st.text("abc:- #", min_size=1), below),
    max_leaves=10,
)


@given(TREES)
def test_what_a_plain_writer_writes_is_read_back(tree: object) -> None:
    """Texts are quoted by the writer; the reader must not take more than was written."""
    text = yaml.safe_dump(tree, default_style=None, default_flow_style=True, width=math.inf)
    assert parse_document(text) == document.Document(tree)


@given(st.text())
def test_no_text_raises(text: str) -> None:
    parse_document(text)
