"""Credentials in schemas of the API: taken, and never given back."""

from typing import Annotated

from pydantic import Field, SecretStr

from app.secrets.services import LONGEST

# In an `XIn` and an `XPatch`. A patch without it keeps the value, with null removes it. An `XOut` has a field
# `<name>_set: bool` in its place.
SecretIn = Annotated[
    SecretStr,
    Field(
        min_length=1,
        max_length=LONGEST,
        description="Write-only: it is stored encrypted and never shown again.",
        json_schema_extra={"writeOnly": True},
    ),
]
