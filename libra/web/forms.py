"""What a form sends: small, of one session, and nothing that is not text."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

from fastapi import Request

from libra.errors import Forbidden, Invalid
from libra.web.session import Visitor

LONGEST_BODY = 1_500_000  # a list of ten thousand nodes with their addresses
MOST_FIELDS = 20_000  # two a node that is offline
CSRF = "csrf"


@dataclass(frozen=True, slots=True)
class Form:
    """Fields by name, each with all its values."""

    fields: Mapping[str, list[str]]

    def text(self, name: str) -> str:
        """The first value, "" where there is none."""
        return self.fields.get(name, [""])[0]

    def every(self, name: str) -> list[str]:
        """All values."""
        return self.fields.get(name, [])


async def form_of(request: Request) -> Form:
    """Raises `Invalid` for what no form of ours sends."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Invalid("cannot read the form: its type must be application/x-www-form-urlencoded")
    body = await request.body()
    if len(body) > LONGEST_BODY:
        raise Invalid(f"cannot read the form: it is larger than {LONGEST_BODY} bytes")
    try:
        text = body.decode("ascii")
        fields = parse_qs(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:
        raise Invalid("cannot read the form: it is not encoded as a form is") from None
    return Form(fields)


def ensure_own(request: Request, visitor: Visitor, form: Form) -> None:
    """Raises `Forbidden` for a form that another site made the browser send."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("cannot take a form from another site")
    if not visitor.owns(form.text(CSRF)):
        raise Forbidden("cannot take the form: it is of another session; load the page again")
