"""Request bodies of object-store accounts; the key is in no repr."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, StringConstraints, model_validator

from libra.api.schemas.types import Body, Text
from libra.api.schemas.v1 import Printable, StoreKind
from libra.messages.fields import has_control_characters
from libra.model.objectstore import AuthVersion


def _plain(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if has_control_characters(text) or text != text.strip():
        raise ValueError("it holds control characters, or blanks at an end")
    return value


class ObjectStoreBody(Body):
    """`user` is ACCOUNT:USER, for Keystone PROJECT:USER, both in `domain`. `region` is which endpoint of several."""

    store: StoreKind = "swift"
    auth_url: Annotated[Printable, StringConstraints(max_length=2048)]
    auth_version: AuthVersion = AuthVersion.V1
    user: Annotated[Text, Field(min_length=1)]
    key: Annotated[SecretStr, Field(min_length=1, max_length=4096), AfterValidator(_plain)]
    domain: Annotated[Text, Field(min_length=1)] = "Default"
    region: Text = ""

    @model_validator(mode="after")
    def _whole(self) -> "ObjectStoreBody":
        project, colon, user = self.user.partition(":")
        if self.auth_version is AuthVersion.V3 and not (project and colon and user):
            raise ValueError("user must be PROJECT:USER for auth_version 3")
        if self.user != self.user.strip():
            raise ValueError("user has blanks at an end")
        return self
