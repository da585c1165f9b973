"""Field readers: any case, no guessing, and error texts that are safe to show."""

import sys
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.errors import Invalid
from libra.messages.fields import Fields, fold, has_control_characters, quoted


class Word(Enum):
    STATS = "STATS"
    KEEP = "KEEP"
    ROUND_ROBIN = "ROUND_ROBIN"


def fault(call: Any) -> str:
    with pytest.raises(Invalid) as caught:
        call()
    return str(caught.value)


# names


@pytest.mark.parametrize("name", ["port", "PORT", "Port", "pOrT"])
def test_a_name_is_read_in_any_case(name: str) -> None:
    assert Fields({name: 80}).integer("port", least=1, most=99) == 80


@pytest.mark.parametrize(
    "name",
    [
        *(" port", "port ", "po rt", "port\n", "p\u043ert", "port\u0000", "\ufeffport", "hpcs_port"),
        *("po\u0280t", "p\u00f6rt", "x" * 1000),
    ],
)  # fmt: skip
def test_a_look_alike_is_another_name(name: str) -> None:
    assert not Fields({name: 80}).has("port")


def test_case_folds_26_letters_only() -> None:
    assert fold("HPCS_ACTION") == "hpcs_action"
    assert "\u212aeep".lower() == "keep"  # the trap: the Kelvin sign
    assert fold("\u212aeep") != "keep"
    assert not Fields({"\u212aeep": 1}).has("keep")
    assert not Fields({"t\u0131me": 1}).has("time")


def test_a_field_given_in_two_spellings_is_refused_when_it_is_read() -> None:
    fields = Fields({"Port": 80, "port": 80, "comment": 1, "COMMENT": 2, "name": "x"})
    assert fields.text("name") == "x"
    for read in (
        lambda: fields.has("port"),
        lambda: fields.raw("port"),
        lambda: fields.integer("port", least=1, most=99, default=1),
        lambda: fields.optional_text("port"),
    ):
        assert fault(read) == "cannot read port: it is given twice, in different spellings"


def test_names_that_are_no_text_are_nobody_s_fields() -> None:
    odd: Any = {1: "a", None: "b", (1, 2): "c", "name": "x"}
    assert Fields(odd).text("name") == "x"


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "{}", [], b"{}", ({},)])
def test_only_an_object_has_fields(value: object) -> None:
    assert "cannot read nodes[3]: it must be a JSON object, got " in fault(
        lambda: Fields(value, "nodes[3]")
    )
    assert fault(lambda: Fields(value)).startswith("cannot read the message: ")


def test_the_path_is_told() -> None:
    fields = Fields({"A": {"B": [{"c": 1}, {"c": "x"}]}})
    items = list(fields.nested("a").objects("b"))
    assert items[0].integer("c", least=0, most=9) == 1
    assert fault(lambda: items[1].integer("c", least=0, most=9)) == (
        "cannot read a.b[1].c: it must be a whole number from 0 to 9, got 'x'"
    )


def test_null_counts_as_absent() -> None:
    fields = Fields({"a": None})
    assert not fields.has("a")
    assert fields.optional_text("a") is None
    assert fields.optional_integer("a", least=0, most=1) is None
    assert fields.optional_nested("a") is None
    assert fields.integer("a", least=0, most=9, default=7) == 7
    assert fields.flag("a", default=True)
    assert fields.choice("a", Word, default=Word.KEEP) is Word.KEEP
    for read in (
        lambda: fields.raw("a"),
        lambda: fields.text("a"),
        lambda: fields.integer("a", least=0, most=9),
        lambda: fields.choice("a", Word),
        lambda: fields.address("a"),
        lambda: fields.listening_address("a"),
        lambda: fields.nested("a"),
        lambda: list(fields.objects("a")),
        lambda: fields.count("a"),
    ):
        assert fault(read) == "cannot read a: it is required"


# values


@pytest.mark.parametrize(
    ("value", "number"),
    [(80, 80), ("80", 80), (80.0, 80), ("0", 0), (0, 0), ("-0", 0), (65535, 65535), ("65535", 65535)],
)  # fmt: skip
def test_whole_numbers(value: object, number: int) -> None:
    assert Fields({"n": value}).integer("n", least=0, most=65535) == number


@pytest.mark.parametrize(
    "value",
    [
        *(-1, 65536, 70000, "70000", "-1", 80.5, True, False, "", " ", "80 ", " 80", "80\n", "+80"),
        *("080", "0x50", "8e1", "80.0", "8_0", "\uff18\uff10", "٨٠", "80port", [80], {"n": 80}, b"80"),
        *(10**5000, -(10**5000), "9" * 5000, float("nan"), float("inf"), -float("inf"), 1e300),
    ],
    ids=lambda value: quoted(value),
)  # fmt: skip
def test_what_is_no_whole_number(value: object) -> None:
    text = fault(lambda: Fields({"n": value}).integer("n", least=0, most=65535))
    assert text.startswith("cannot read n: it must be a whole number from 0 to 65535, got ")
    assert len(text) < 300


@pytest.mark.parametrize(
    ("value", "flag"),
    [
        *((True, True), (1, True), ("1", True), ("TRUE", True), ("Yes", True), ("on", True)),
        *((False, False), (0, False), ("0", False), ("false", False), ("No", False), ("OFF", False)),
    ],
)  # fmt: skip
def test_flags(value: object, flag: bool) -> None:
    assert Fields({"f": value}).flag("f", default=not flag) is flag


@pytest.mark.parametrize(
    "value", ["", " ", "true ", "y", 2, -1, 1.0, 0.0, [], {}, [True], "o\ufb00", b"1", 10**5000],
    ids=lambda value: quoted(value),
)  # fmt: skip
def test_what_is_no_flag(value: object) -> None:
    text = fault(lambda: Fields({"f": value}).flag("f", default=True))
    assert text.startswith("cannot read f: it must be true or false, got ")


@pytest.mark.parametrize("value", ["STATS", "stats", "Stats", "sTATS"])
def test_words_in_any_case(value: str) -> None:
    assert Fields({"w": value}).choice("w", Word) is Word.STATS


@pytest.mark.parametrize(
    "value",
    [
        *("\u017ftats", "\ufb06ats", "\u212aeep", "round_rob\u0131n", "STATS ", " STATS", "STATS\n"),
        *("", "S", "ROUND-ROBIN", 1, True, ["STATS"], {"STATS": 1}, b"STATS", Word.STATS),
    ],
)  # fmt: skip
def test_what_is_no_known_word(value: object) -> None:
    text = fault(lambda: Fields({"w": value}).choice("w", Word))
    assert text.startswith("cannot read w: it must be one of STATS, KEEP, ROUND_ROBIN, got ")
    assert text.isascii()


@pytest.mark.parametrize(
    ("value", "text"),
    [("web", "web"), (" web ", "web"), (15, "15"), (-1, "-1"), ("ü", "ü"), ("a" * 255, "a" * 255)],
)
def test_texts(value: object, text: str) -> None:
    assert Fields({"t": value}).text("t") == text


@pytest.mark.parametrize(
    ("value", "must"),
    [
        ("", "a text that is not empty"),
        ("  \u3000", "a text that is not empty"),
        ("a" * 256, "at most 255 characters long"),
        ("a\nb", "free of control characters"),
        ("a\x00", "free of control characters"),
        ("a\x7f", "free of control characters"),
        ("a\x85", "free of control characters"),
        ("a\u2028", "free of control characters"),
        ("a\u202egnp", "free of control characters"),
        ("a\ud800", "free of control characters"),
        (True, "a text"),
        (1.5, "a text"),
        (10**5000, "a text"),
        ([], "a text"),
        ({"a": 1}, "a text"),
        (b"web", "a text"),
    ],
    ids=lambda value: quoted(value),
)
def test_what_is_no_text(value: object, must: str) -> None:
    text = fault(lambda: Fields({"t": value}).text("t"))
    assert text.startswith(f"cannot read t: it must be {must}, got ")


def test_an_empty_optional_text_is_a_missing_one() -> None:
    assert Fields({"t": ""}).optional_text("t") is None
    assert Fields({}).optional_text("t") is None
    assert Fields({"t": "x"}).optional_text("t") == "x"


@pytest.mark.parametrize("value", ["15", 15, " 15 ", "a/../b", "lb #1", "..", "ü" * 128])
def test_ids(value: object) -> None:
    assert Fields({"id": value}).identifier() == str(value).strip()


@pytest.mark.parametrize("value", ["x" * 129, "a\nb", 1.5, True, ["15"], "  "])
def test_what_is_no_id(value: object) -> None:
    assert fault(lambda: Fields({"id": value}).identifier()).startswith("cannot read id: ")


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("[2001:DB8::1]", "2001:db8::1"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("WEB.example.com.", "web.example.com"),
    ],
)
def test_addresses_of_hosts(value: str, address: str) -> None:
    assert Fields({"a": value}).address("a") == address


@pytest.mark.parametrize(
    "value",
    [
        *("", " ", "10.0.0.1 ", " 10.0.0.1", "10.0.0.1\n", "10.0.0.1\nserver evil 1.2.3.4:80"),
        *("10.0.0.256", "127.1", "0x7f.1", "fe80::1%eth0", "[10.0.0.1]", "[web]", "[::1", "::1]"),
        *("[[::1]]", "10.0.0.1:80", "[::1]:80", "http://10.0.0.1", "a b", "bücher.example", "\uff11.2.3.4"),
        *("0.0.0.0", "::", "[::]", "::ffff:0.0.0.0", "224.0.0.1", "ff02::1", "255.255.255.255"),
        *(2130706433, 1.5, True, [], {}, b"10.0.0.1", "a" * 300, "x" * 10_000_000),
    ],
    ids=lambda value: quoted(value),
)  # fmt: skip
def test_what_is_no_address_of_a_host(value: object) -> None:
    text = fault(lambda: Fields({"a": value}).address("a"))
    assert text.startswith("cannot read a: it must be ")
    assert len(text) < 400
    assert text.isprintable()


@pytest.mark.parametrize(
    ("value", "address"), [("0.0.0.0", "0.0.0.0"), ("[::]", "::"), ("192.0.2.1", "192.0.2.1")]
)
def test_listening_addresses(value: str, address: str) -> None:
    assert Fields({"a": value}).listening_address("a") == address


@pytest.mark.parametrize("value", ["localhost", "*", "", "224.0.0.1", "ff02::1", 1, "10.0.0.1 "])
def test_what_is_no_listening_address(value: object) -> None:
    text = fault(lambda: Fields({"a": value}).listening_address("a"))
    assert text.startswith("cannot read a: it must be an IPv4 or IPv6 address of this device")


@pytest.mark.parametrize("value", [{}, "x", 1, True, ({},)])
def test_what_is_no_list(value: object) -> None:
    assert fault(lambda: Fields({"l": value}).count("l")).startswith(
        "cannot read l: it must be a list, got "
    )


# what error texts show


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("never asked")

    __str__ = __repr__


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "null"),
        (True, "true"),
        (80, "80"),
        (10**5000, "a very large number"),
        (-(10**5000), "a very large number"),
        (1.5, "1.5"),
        (float("nan"), "nan"),
        ("a'b", '"a\'b"'),
        ("\x1b[31m\r\nü", r"'\x1b[31m\r\n\xfc'"),
        ("a" * 61, "'" + "a" * 60 + "'... (61 characters)"),
        ([10**5000], "a list"),
        ({"token": "x"}, "an object"),
        (Hostile(), "something of the Python type 'Hostile'"),
        (b"x", "something of the Python type 'bytes'"),
    ],
    ids=range(14),
)
def test_quoted(value: object, shown: str) -> None:
    assert quoted(value) == shown


@given(st.text() | st.integers() | st.floats() | st.binary() | st.none() | st.booleans())
def test_what_is_shown_is_one_short_printable_line(value: object) -> None:
    shown = quoted(value)
    assert shown.isascii()
    assert shown.isprintable()
    assert len(shown) <= 700


def test_the_longest_quote_is_that_of_astral_characters() -> None:
    assert len(quoted("\U0001f600" * 10**6)) < 650


@given(st.characters())
def test_control_characters_are_those_that_end_a_line_or_hide(character: str) -> None:
    if has_control_characters(character):
        assert not character.isprintable()
    if len(f"a{character}b".splitlines()) > 1:
        assert has_control_characters(character)


def test_python_still_refuses_to_print_huge_numbers() -> None:
    """Should this end, `quoted` can be simpler."""
    assert sys.get_int_max_str_digits() < 5000
