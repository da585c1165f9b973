"""What is told to a new process about clients: everything that is known, and nothing that is over."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.drivers.haproxy import clients
from libra.drivers.haproxy.backends import CLIENT_EXPIRY
from libra.drivers.haproxy.build import build
from libra.drivers.haproxy.clients import NEWS_BYTES, find_news, parse_table, render_clients
from libra.drivers.haproxy.config import Configuration, Options
from tests.support.desired import build_desired

OPTIONS = Options(
    admin_socket="/a", log_target="stdout", version=(2, 6), hard_stop_after=timedelta(hours=1)
)
BARE = build(build_desired(81, 82), OPTIONS)
STICKY = replace(BARE, backends=(replace(BARE.backends[0], stick=True),))
NOW = 1000.0
TABLE = (
    "# table: be-web, type: ipv6, size:102400, used:3\n"
    "0x7f85: key=::ffff:10.0.0.1 use=0 exp=1799999 server_id=7 server_key=m0\n"
    "0x7f86: key=2001:db8::1 use=1 exp=5000 shard=0 server_id=8 server_key=m1\n"
    "0x7f87: key=::ffff:10.0.0.9 use=0 exp=1 server_id=0 server_key=-\n"  # just being made
    "0x7f88: key=::ffff:10.0.0.8 use=0 exp=1 server_id=7 server_key=-\n"  # and this a moment later
)
LINES = "10.0.0.1@be-web m0|2800\n2001:db8::1@be-web m1|1005\n"


def render(
    text: str = "", *, former: str = "", desired: Configuration = STICKY, now: float = NOW
) -> str:
    return render_clients({"be-web": parse_table(text, now)}, former, desired, now)


def test_a_table_becomes_lines() -> None:
    assert parse_table(TABLE, NOW) == {
        "10.0.0.1": ("m0", NOW + 1799.999),
        "2001:db8::1": ("m1", NOW + 5),
    }
    assert render(TABLE) == LINES


def test_what_is_told_once_is_told_again_until_it_is_over() -> None:
    assert render(former=LINES) == LINES
    assert render(former=LINES, now=1006) == "10.0.0.1@be-web m0|2800\n"
    assert render(former=LINES, now=2801) == ""


def test_what_the_table_knows_is_newer() -> None:
    assert render(TABLE, former="10.0.0.1@be-web m1|1500\n") == LINES


def test_of_an_entry_that_is_just_being_made_the_former_file_tells() -> None:
    former = "10.0.0.8@be-web m1|1500\n10.0.0.9@be-web m1|1500\n"
    assert render(TABLE, former=former) == LINES + former


def test_a_clock_that_began_anew_keeps_nothing_for_ever() -> None:
    longest = CLIENT_EXPIRY.total_seconds()
    assert render(former=LINES, now=0) == LINES.replace("2800", f"{longest:.0f}")


@pytest.mark.parametrize(
    "desired", [BARE, replace(STICKY, backends=(replace(STICKY.backends[0], servers=()),))]
)
def test_nothing_is_told_of_what_is_gone(desired: Configuration) -> None:
    assert render(TABLE, former=LINES, desired=desired) == ""


def test_clients_of_an_ipv6_listener_are_told_in_both_spellings() -> None:
    (frontend,) = STICKY.frontends
    both = replace(STICKY, frontends=(replace(frontend, bind_address="::"),))
    told = render(TABLE, desired=both)
    assert told == "10.0.0.1@be-web m0|2800\n::ffff:" + LINES
    assert render(former=told, desired=both) == told
    assert render(former=told) == LINES


def test_the_file_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "MOST", 3)
    former = "".join(f"10.1.0.{n}@be-web m0|9999\n" for n in range(5))
    assert render(TABLE, former=former).startswith(LINES)
    assert len(render(TABLE, former=former).splitlines()) == 3


@given(st.text(), st.text())
def test_whatever_was_in_the_file_or_was_answered_makes_good_lines(
    answer: str, former: str
) -> None:
    for line in render(answer, former=former).splitlines():
        address, _, value = line.partition("@be-web ")
        assert address
        assert value.partition("|")[0] in ("m0", "m1")


def test_news_is_what_a_process_does_not_know_and_where_it_knows_another_server() -> None:
    former = "10.0.0.1@be-web m1|1500\n2001:db8::1@be-web m1|900\n"
    unknown, changed = find_news(LINES + "10.0.0.2@be-web m0|7\n", former)
    assert unknown == ("10.0.0.2@be-web m0|7\n",)
    assert [(tie.key, tie.value) for tie in changed] == [("10.0.0.1@be-web", "m0|2800")]
    assert find_news(LINES, LINES) == ((), ())


def test_news_comes_in_portions_the_latest_first_and_no_more_than_is_bearable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clients, "MOST_NEWS", 900)
    lines = [f"10.1.{n >> 8}.{n & 255}@be-web m0|{n}\n" for n in range(1000)]
    portions, _ = find_news("".join(lines), "")
    assert len(portions) > 1
    assert all(0 < len(portion) <= NEWS_BYTES for portion in portions)
    assert "".join(portions) == "".join(lines[:99:-1])
