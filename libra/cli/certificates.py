"""`libra certificate create` and `replace`: files go in, keys never come out."""

import base64
from pathlib import Path
from typing import Annotated

import typer

from libra.cli.exits import errors_as_exits
from libra.cli.resources import CERTIFICATE
from libra.cli.rows import Format, Json, show_one
from libra.cli.verbs import FormatOption, TokenOption, UrlOption, find_key, open_api
from libra.errors import Invalid

MOST_BYTES = 1024 * 1024

CertificateOption = Annotated[
    Path | None,
    typer.Option("--certificate", metavar="FILE", help="PEM: the certificate, then its chain."),
]
KeyOption = Annotated[Path | None, typer.Option("--key", metavar="FILE", help="PEM: its key.")]
Pkcs12Option = Annotated[
    Path | None, typer.Option("--pkcs12", metavar="FILE", help="In place of the two.")
]
PassphraseOption = Annotated[
    Path | None,
    typer.Option("--passphrase-file", metavar="FILE", help="Where the key is encrypted."),
]


def add_certificate_verbs(group: typer.Typer) -> None:
    """Beside list, show and delete."""
    _add_create(group)
    _add_replace(group)


def _add_create(group: typer.Typer) -> None:
    @group.command("create")
    def run(
        context: typer.Context,
        name: Annotated[str, typer.Argument(help="For people.")],
        certificate: CertificateOption = None,
        key: KeyOption = None,
        pkcs12: Pkcs12Option = None,
        passphrase_file: PassphraseOption = None,
        kind: Annotated[
            str, typer.Option("--type", help="certificate, or ca or crl for clients.")
        ] = "certificate",
        output: FormatOption = Format.TABLE,
        api_url: UrlOption = None,
        token_file: TokenOption = None,
    ) -> None:
        """Keep a certificate and its key; listeners refer to it by its id."""
        with errors_as_exits():
            body = {"name": name, "type": kind}
            body |= read_material(certificate, key, pkcs12, passphrase_file)
            rest = open_api(context, api_url, token_file)
            made: Json = rest.call("POST", CERTIFICATE.path, body)["certificate"]
        show_one(made, output)


def _add_replace(group: typer.Typer) -> None:
    @group.command("replace")
    def run(
        context: typer.Context,
        name: Annotated[str, typer.Argument(help="Its id or name.")],
        certificate: CertificateOption = None,
        key: KeyOption = None,
        pkcs12: Pkcs12Option = None,
        passphrase_file: PassphraseOption = None,
        output: FormatOption = Format.TABLE,
        api_url: UrlOption = None,
        token_file: TokenOption = None,
    ) -> None:
        """Renew it: every listener that refers to it shows the new one, without a reload."""
        with errors_as_exits():
            body = read_material(certificate, key, pkcs12, passphrase_file)
            rest = open_api(context, api_url, token_file)
            known = find_key(rest, CERTIFICATE, CERTIFICATE.path, name)
            made: Json = rest.call("PUT", f"{CERTIFICATE.path}/{known}", body)["certificate"]
        show_one(made, output)


def read_material(
    certificate: Path | None, key: Path | None, pkcs12: Path | None, passphrase: Path | None
) -> dict[str, str]:
    """The request's fields. Raises `Invalid`; no message holds what a file does."""
    if (certificate is None) == (pkcs12 is None):
        raise Invalid("cannot read the certificate: give --certificate FILE, or --pkcs12 FILE")
    fields = {}
    if pkcs12 is not None:
        fields["pkcs12"] = base64.b64encode(_read(pkcs12)).decode()
    for name, path in (("certificate", certificate), ("key", key), ("passphrase", passphrase)):
        if path is not None:
            fields[name] = _read_text(path)
    if passphrase is not None:
        fields["passphrase"] = fields["passphrase"].rstrip("\r\n")
    return fields


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise Invalid(f"cannot read {path}: {error.strerror}") from None
    if len(data) > MOST_BYTES:
        raise Invalid(f"cannot use {path}: it is too large")
    return data


def _read_text(path: Path) -> str:
    try:
        return _read(path).decode()
    except UnicodeDecodeError:
        raise Invalid(f"cannot use {path}: it is no text; PEM begins with -----BEGIN") from None
