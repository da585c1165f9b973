"""Types of request fields: hostile until they passed these."""

import ipaddress
import re
import ssl
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    ValidationInfo,
)

from libra.errors import NotImplementedHere
from libra.messages.addresses import is_group, is_metadata, is_wildcard, parse_ip_address
from libra.messages.fields import has_control_characters

_PATH = re.compile(r"/[A-Za-z0-9._~!$&()*+,;=:@%/?-]*")
_COOKIE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252})")
_CODES = re.compile(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2})|(?: *, *[1-5][0-9]{2}){0,99})")
_REFERENCE = re.compile(r"[A-Za-z0-9._~:/%@+-]*[A-Za-z0-9-]/?")
_CIPHERS = re.compile(r"[A-Za-z0-9_:!+@=-]{1,1024}")
_TLS_1_3 = frozenset(
    (
        *("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"),
        *("TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256"),
    )
)
_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Body(BaseModel):
    """Unknown keys are refused, as in Octavia. Whole numbers may be texts."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_max_length=10_000)

    def given(self) -> dict[str, Any]:
        """What was sent, nulls included, as Python values."""
        return {name: getattr(self, name) for name in self.model_fields_set}


def _plain(value: str) -> str:
    if has_control_characters(value):
        raise ValueError("it holds control characters")
    return value


def _matching(pattern: re.Pattern[str], words: str) -> AfterValidator:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(f"it must be {words}")
        return value

    return AfterValidator(check)


def _address(value: str) -> str:
    address = parse_ip_address(value)
    if address is None:
        raise ValueError("it must be an IPv4 or IPv6 address")
    return address


def _host_address(value: str) -> str:
    address = _address(value)
    if is_wildcard(address) or is_group(address):
        raise ValueError("it must be the address of one host")
    if is_metadata(address):
        raise ValueError("it is where a cloud tells its machines their secrets")
    return value


def _network(value: str) -> str:
    if "%" in value:
        raise ValueError("it must be a network like 10.0.0.0/8")
    try:
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError:
        raise ValueError("it must be a network like 10.0.0.0/8") from None


def _codes(value: str) -> str:
    match = _CODES.fullmatch(value)
    if not match or (match[2] and match[1] > match[2]):
        raise ValueError("it must be like 200, 200,202 or 200-204")
    return value


def _ciphers(value: str) -> str:
    """OpenSSL passes over names that it does not know, but devices refuse a list that leaves nothing."""
    given = [name for name in value.split(":") if name]
    newest = {name for name in given if name.startswith("TLS_")}
    others = ":".join(name for name in given if name not in newest)
    if not given or (newest and not newest & _TLS_1_3):
        raise ValueError("OpenSSL knows none of these ciphers")
    if others:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ciphers(others)
        except ssl.SSLError:
            raise ValueError("OpenSSL knows none of these ciphers") from None
    return value


def _no_flag(value: object) -> object:
    """`true` is no 1."""
    if isinstance(value, bool):
        raise ValueError("it must be a whole number")
    return value


def later(*words: str, why: str = "this release does not have it") -> BeforeValidator:
    """Good words of Octavia's that libra has no meaning for: 501 rather than 400."""

    def check(value: object) -> object:
        if value in words:
            raise NotImplementedHere(f"cannot do {value}: {why}")
        return value

    return BeforeValidator(check)


def _absent(value: object, info: ValidationInfo) -> None:
    """What says nothing may be said."""
    if value not in (None, False, "", []):
        raise NotImplementedHere(f"cannot set {info.field_name}: this release does not have it")


def _empty_is_null(value: object) -> object:
    return None if value == "" else value


def _short_lists(value: list[str]) -> list[str]:
    if len(value) > 100:
        raise ValueError("at most 100")
    return value


Text = Annotated[str, StringConstraints(max_length=255), AfterValidator(_plain)]
Absent = Annotated[None, BeforeValidator(_absent)]
"""A good field of Octavia's for something that is not done here."""
EMPTY_IS_NULL = BeforeValidator(_empty_is_null)
"""For what some clients take away in that way, Terraform's among them."""
Id = Annotated[str, _matching(_ID, "an id")]
Whole = Annotated[int, BeforeValidator(_no_flag)]
Address = Annotated[str, AfterValidator(_address)]
HostAddress = Annotated[str, StringConstraints(max_length=255), AfterValidator(_host_address)]
"""In the spelling that was given."""
Network = Annotated[str, AfterValidator(_network)]
Tags = Annotated[list[Text], AfterValidator(_short_lists)]
Path = Annotated[
    str,
    StringConstraints(max_length=1000),
    _matching(_PATH, "a path that starts with / and holds only what may stand in a URL"),
]
Reference = Annotated[
    str,
    StringConstraints(max_length=255),
    _matching(_REFERENCE, "a certificate's id, or a URL that ends in it"),
]
Ciphers = Annotated[
    str,
    _matching(_CIPHERS, "names of OpenSSL's ciphers, with colons in between"),
    AfterValidator(_ciphers),
]
NoReference = Annotated[Reference | None, EMPTY_IS_NULL]
NoCiphers = Annotated[Ciphers | None, EMPTY_IS_NULL]
CookieName = Annotated[str, _matching(_COOKIE, "1 to 64 letters, digits and . _ -")]
HostName = Annotated[str, _matching(_HOST, "a host name")]
Codes = Annotated[str, StringConstraints(max_length=1000), AfterValidator(_codes)]
