"""Reading single values out of what a provider says, which may be anything JSON can hold."""

from collections.abc import Mapping
from typing import Any

Claims = Mapping[str, Any]

# What columns hold.
LONGEST_SUBJECT = 255


def claim_text(claims: Claims, name: str, longest: int = LONGEST_SUBJECT) -> str:
    """A claim that is text and can be stored; else empty. JSON lets through NUL and half characters."""
    value = claims.get(name)
    if not isinstance(value, str) or len(value) > longest or "\0" in value:
        return ""
    try:
        value.encode()
    except UnicodeEncodeError:
        return ""
    return value


def email_is_verified(claims: Claims) -> bool:
    # Some send the word instead of the value.
    return claims.get("email_verified") in (True, "true")
