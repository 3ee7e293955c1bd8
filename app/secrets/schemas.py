"""Credentials in schemas of the API: accepted, and never returned."""

from typing import Annotated

from pydantic import Field, SecretStr

from app.secrets.services import LONGEST

# For an `XIn` or an `XPatch`: a patch without the field keeps the value, null removes it. An `XOut` has
# `<name>_set: bool` instead.
SecretIn = Annotated[
    SecretStr,
    Field(
        min_length=1,
        max_length=LONGEST,
        description="Write-only: it is stored encrypted and never shown again.",
        json_schema_extra={"writeOnly": True},
    ),
]
