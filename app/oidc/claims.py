"""Reading of single claims, whose values may be any JSON."""

from collections.abc import Mapping
from typing import Any

Claims = Mapping[str, Any]

# The length of the database's column.
LONGEST_SUBJECT = 255


def claim_text(claims: Claims, name: str, longest: int = LONGEST_SUBJECT) -> str:
    """Return a claim that is text and can be stored; else empty. JSON allows NUL and lone surrogates."""
    value = claims.get(name)
    if not isinstance(value, str) or len(value) > longest or "\0" in value:
        return ""
    try:
        value.encode()
    except UnicodeEncodeError:
        return ""
    return value


def email_is_verified(claims: Claims) -> bool:
    # Some providers send the text "true" instead of the value.
    return claims.get("email_verified") in (True, "true")
