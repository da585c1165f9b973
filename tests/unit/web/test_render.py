"""How words, amounts and ages are shown, and when a part has changed."""

import pytest

from libra.model.device import DeviceState
from libra.web.render import age, amount, digest, environment, percent, tone


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "\N{EN DASH}"),
        (0, "0"),
        (6, "6"),
        (6.0, "6.0"),
        (0.04, "0.0"),
        (9.94, "9.9"),
        (999, "999"),
        (1500, "1.5k"),
        (2e13, "20T"),
    ],
)
def test_amounts_are_short(value: float | None, shown: str) -> None:
    assert amount(value) == shown


@pytest.mark.parametrize(
    ("share", "shown"), [(0, "0 %"), (0.012, "1.2 %"), (0.5, "50 %"), (1, "100 %")]
)
def test_shares(share: float, shown: str) -> None:
    assert percent(share) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (200_000, "2 d")],
)
def test_ages(seconds: float, shown: str) -> None:
    assert age(seconds) == shown


def test_every_state_of_a_device_has_a_tone() -> None:
    assert {state: tone(state) for state in DeviceState if tone(state) == "calm"} == {
        DeviceState.RETIRED: "calm"
    }


def test_an_age_is_no_change() -> None:
    shown = '<time data-age datetime="2030-01-01T00:00:00Z">{} s</time>'
    assert digest(shown.format(1)) == digest(shown.format(2))
    assert digest(shown.format(1)) != digest(shown.format(1).replace("2030", "2031"))


def test_whatever_a_template_shows_is_escaped() -> None:
    template = environment().from_string("{{ name }}")
    assert template.render(name="<b>\"'&") == "&lt;b&gt;&#34;&#39;&amp;"
