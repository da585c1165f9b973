"""Settings as they may be shown."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.config.controller import ControllerSettings, DatabaseSettings
from libra.config.settings import HAProxySettings, JobServerSettings, Settings
from libra.config.showing import HIDDEN, mask_text, show_options, show_settings, show_value

PASSWORD = "sw0rd/fish@x"


def test_every_section_without_secrets() -> None:
    settings = Settings(
        job_servers=(JobServerSettings(port=1), JobServerSettings(host="b", port=2)),
        database=DatabaseSettings(url="postgresql://libra:trout%2Ffish@db:5432/libra"),
        controller=ControllerSettings(key_file=Path("/etc/libra/key")),
        haproxy=HAProxySettings(extra_global=("nbthread 2", "stats auth me:trout")),
    )
    shown = show_settings(settings)
    assert shown["job_servers.2"]["port"] == 2
    assert shown["database"]["url"] == f"postgresql://libra:{HIDDEN}@db:5432/libra"
    assert shown["controller"]["key_file"] == "/etc/libra/key"
    assert shown["haproxy"]["extra_global"] == ["nbthread 2", f"stats {HIDDEN}"]
    assert shown["logging"]["level"] == "info"
    assert "vip.vrrp" in shown
    assert "trout" not in str(shown)
    assert set(shown) >= set(Settings.model_fields) - {"job_servers", "address_pools"} - {
        "object_stores"
    }


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("password", PASSWORD, HIDDEN),
        ("admin_token", PASSWORD, HIDDEN),
        ("api_key", PASSWORD, HIDDEN),
        ("keys", [PASSWORD], [HIDDEN]),
        ("password", "", ""),
        ("token_file", Path("/x"), "/x"),
        ("monkey", "b", "b"),
        ("count", 3, 3),
        ("flag", False, False),
        ("nothing", None, None),
        ("options", {"secret": {"deep": "x"}, "size": 1}, {"secret": HIDDEN, "size": 1}),
    ],
)
def test_values(key: str, value: object, wanted: object) -> None:
    assert show_value(key, value) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("https://u:p@h/x", f"https://u:{HIDDEN}@h/x"),
        ("https://u:p@q@h/x", f"https://u:{HIDDEN}@h/x"),
        ("postgresql://h/d?sslpassword=x&a=b", f"postgresql://h/d?sslpassword={HIDDEN}&a=b"),
        ("https://h/x", "https://h/x"),
        ("user me insecure-password x", f"user {HIDDEN}"),
        ("nbthread 2", "nbthread 2"),
    ],
)
def test_texts(text: str, wanted: str) -> None:
    assert mask_text(text) == wanted


def test_options_of_a_pool() -> None:
    assert show_options("") == ""
    assert show_options('{"flavor": "m1", "password": "x"}') == {"flavor": "m1", "password": HIDDEN}
    assert show_options("{password: x") == HIDDEN
    assert show_options("[" * 100_000) == HIDDEN


@given(st.text(alphabet="abc:@%/", min_size=1).filter(lambda text: "/" not in text))
def test_no_password_of_a_url_is_seen(password: str) -> None:
    assert mask_text(f"https://user:{password}@host.example/x") == (
        f"https://user:{HIDDEN}@host.example/x"
    )
