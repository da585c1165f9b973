import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from libra.config.settings import SwiftSettings
from libra.errors import Forbidden, Invalid
from libra.objectstores.endpoints import EndpointPolicy, parse_endpoint


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("https://example.com/v1/100", "https://example.com/v1/100"),
        ("HTTPS://Example.COM./v1/AUTH_x/", "https://example.com/v1/AUTH_x"),
        ("http://10.0.0.1:8080/v1/AUTH_x", "http://10.0.0.1:8080/v1/AUTH_x"),
        ("https://example.com:443/v1", "https://example.com/v1"),
        ("http://example.com:443/v1", "http://example.com:443/v1"),
        ("http://[2001:DB8::0:1]:8080/v1", "http://[2001:db8::1]:8080/v1"),
        ("https://swift_1.internal/swift/v1/AUTH_%7Bx%7D", None),
        ("https://example.com", "https://example.com"),
        ("https://example.com/", "https://example.com"),
    ],
)
def test_a_storage_url_has_one_form(text: str, normal: str | None) -> None:
    assert str(parse_endpoint(text)) == (normal or text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com/v1",
        "ftp://example.com/v1",
        "file:///etc/passwd",
        "https:///v1",
        "https://user@example.com/v1",
        "https://good.example@evil.example/v1",
        "https://example.com:/v1",
        "https://example.com:0/v1",
        "https://example.com:65536/v1",
        "https://example.com:80:80/v1",
        "https://example.com\\@evil.example/v1",
        "https://example.com/v1?x=1",
        "https://example.com/v1?",
        "https://example.com/v1#x",
        "https://example.com/v1/../v2",
        "https://example.com/v1/%2e%2E/v2",
        "https://example.com/v1/a%2fb",
        "https://example.com/v1/a%5cb",
        "https://example.com/v1/%0d%0aX-Evil:%201",
        "https://example.com//v1",
        "https://example.com/v1/%zz",
        "https://example.com/v1\r\nX: 1",
        "https://exa mple.com/v1",
        "https://ex\u212aample.com/v1",
        "http\u017f://example.com/v1",
        "https://example.com/v1/\u00e9",
        "https://-example.com/v1",
        "https://127.1/v1",
        "https://0x7f000001/v1",
        "https://2130706433/v1",
        "https://[::1%25lo]/v1",
        "https://[::1/v1",
        " https://example.com/v1",
        "https://example.com/v1 ",
    ],
)
def test_what_is_no_plain_storage_url_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match=r"^cannot use hpcs_object_store_endpoint: "):
        parse_endpoint(text)


@pytest.mark.parametrize(
    ("pattern", "allowed", "refused"),
    [
        ("https://*", ["https://a.example/v1", "https://[::1]:8080/v1"], ["http://a.example/v1"]),
        (
            "https://swift.example.com",
            ["https://SWIFT.example.com:443/v1/x", "https://swift.example.com"],
            [
                "https://swift.example.com.evil.example/v1",
                "https://swift.example.com:8080/v1",
                "https://evil.example/swift.example.com",
            ],
        ),
        (
            "https://*.example.com",
            ["https://a.example.com/v1", "https://a.b.example.com/v1"],
            [
                "https://example.com/v1",
                "https://evil.example/x.example.com",
                "https://aexample.com",
            ],
        ),
        (
            "http://127.0.0.1:*",
            ["http://127.0.0.1/v1", "http://127.0.0.1:8080/v1"],
            ["http://127.0.0.2:8080/v1", "https://127.0.0.1:8080/v1"],
        ),
        (
            "https://swift?.example.com:8443/v1/AUTH_*",
            [
                "https://swift1.example.com:8443/v1/AUTH_abc",
                "https://swift1.example.com:8443/v1/AUTH_",
            ],
            [
                "https://swift12.example.com:8443/v1/AUTH_abc",
                "https://swift1.example.com/v1/AUTH_abc",
                "https://swift1.example.com:8443/v2/AUTH_abc",
                "https://swift1.example.com:8443",
            ],
        ),
        (
            "http*://[2001:db8::1]:8080",
            ["http://[2001:db8:0::1]:8080/v1", "https://[2001:db8::1]:8080/v1"],
            ["http://[2001:db8::2]:8080/v1", "http://2.example:8080/v1"],
        ),
    ],
)
def test_patterns(pattern: str, allowed: list[str], refused: list[str]) -> None:
    policy = EndpointPolicy(("https://other.example", pattern))
    for text in allowed:
        policy.admit(text)
    for text in refused:
        with pytest.raises(
            Forbidden,
            match=r"^cannot connect to .*: the setting object_stores\.swift\.allowed_endpoints",
        ):
            policy.admit(text)


@pytest.mark.parametrize(
    "pattern", ["", "*", "swift.example.com", "https://", "https://a@b", "a b"]
)
def test_a_pattern_that_could_mean_anything_is_refused(pattern: str) -> None:
    with pytest.raises(Invalid, match=r"^cannot use object_stores\.swift\.allowed_endpoints: "):
        EndpointPolicy((pattern,))


def test_no_pattern_allows_nothing() -> None:
    with pytest.raises(Forbidden):
        EndpointPolicy(()).admit("https://example.com/v1")


PIECES = [
    *"htps:/@.?#[]\\%2eEfF0a*\r\n\t \u212a\u3002\uff0e",
    "good.example",
    "evil",
    "/v1",
    ":443",
]
DANGEROUS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


@given(DANGEROUS, DANGEROUS)
def test_whatever_is_admitted_leads_to_the_host_that_the_pattern_names(a: str, b: str) -> None:
    """Judged by the parser that the HTTP library uses."""
    from urllib3.util import parse_url

    policy = EndpointPolicy(("https://good.example",))
    for text in (f"https://good.example{a}", f"https://{a}good.example{b}", f"{a}good.example{b}"):
        try:
            endpoint = policy.admit(text)
        except (Invalid, Forbidden):
            continue
        url = parse_url(f"{endpoint}/container/object")
        assert (url.scheme, url.host, url.port, url.auth) == ("https", "good.example", None, None)
        assert url.query is None
        assert url.fragment is None
        assert url.path == f"{endpoint.path}/container/object"


@given(
    st.from_regex(
        r"https?://([a-z]{1,5}\.){0,2}[a-z]{1,5}(:[1-9][0-9]{0,3})?(/[a-z.]{1,3}){0,3}",
        fullmatch=True,
    )
)
def test_the_normal_form_is_stable(text: str) -> None:
    try:
        once = parse_endpoint(text)
    except Invalid:
        assert "/." in text
        return
    assert parse_endpoint(str(once)) == once


PATTERN_PIECES = [
    "http",
    "https",
    "://",
    "*",
    "?",
    "h.example",
    "[::1]",
    ":80",
    "/v1",
    *"/@\\# \té",
]


@example("http://é")
@given(st.lists(st.sampled_from(PATTERN_PIECES), max_size=6).map("".join))
def test_the_settings_take_exactly_the_patterns_that_can_be_used(pattern: str) -> None:
    """So that a fault in one is found by the check of the settings, not by the first ARCHIVE."""

    def usable() -> bool:
        try:
            EndpointPolicy((pattern,))
        except Invalid:
            return False
        return True

    def accepted() -> bool:
        try:
            SwiftSettings(allowed_endpoints=(pattern,))
        except ValidationError:
            return False
        return True

    assert accepted() is usable()
