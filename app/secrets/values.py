"""A decrypted credential, wrapped so that it is not shown by accident."""

from hmac import compare_digest
from typing import Any, NoReturn


class SecretValue:
    """A decrypted credential. Only `reveal` returns it; printing, formatting, pickling and JSON do not."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the credential, for the header or the connection that needs it."""
        return self._text

    def __repr__(self) -> str:
        return "SecretValue(…)"

    __str__ = __repr__

    def __format__(self, specification: str) -> str:
        return format(repr(self), specification)

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretValue) and compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(self._text)

    # A copy is the same object; pickling stays impossible, since a pickle would hold the value.
    def __copy__(self) -> "SecretValue":
        return self

    def __deepcopy__(self, memo: Any) -> "SecretValue":
        return self

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a SecretValue is not stored")
