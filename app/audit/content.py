"""The content of an audit entry: changed values only, without secrets, short enough to read."""

import math
import re
from collections.abc import Mapping
from typing import Any

LONGEST_TEXT = 300
# Characters of a long text's unchanged beginning that are kept, so that the shortened text shows the change.
CONTEXT = 40
MOST_ITEMS = 50
DEEPEST = 4
MASK = "********"

_SECRET_WORDS = frozenset(
    word + plural
    for word in ("password", "passphrase", "secret", "token", "key", "hash", "credential", "cookie", "header")
    for plural in ("", "s")
) | {"authorization"}
_WORDS = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
# Our own keys anywhere in a text, and the password of an address.
_SECRET_TEXT = re.compile(r"\brk_[A-Za-z0-9_-]{8,}|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)")


def changes(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Return both sides as they are stored.

    With both given, only the differences are stored. The change of a secret is recorded, its value is not.
    """
    if before is None or after is None:
        return (None if before is None else _readable(before)), (None if after is None else _readable(after))
    missing = object()
    names = [name for name in {**before, **after} if before.get(name, missing) != after.get(name, missing)]
    old, new = {n: before[n] for n in names if n in before}, {n: after[n] for n in names if n in after}
    for name in old.keys() & new.keys():
        old[name], new[name] = _cut_to_change(old[name], new[name])
    return _readable(old), _readable(new)


def text(value: str, longest: int = LONGEST_TEXT) -> str:
    """Return a text as PostgreSQL can store it, shortened, without our keys in it."""
    value = _SECRET_TEXT.sub(MASK, value.replace("\0", "").encode("utf-8", "replace").decode())
    return value if len(value) <= longest else f"{value[:longest]}… ({len(value)} characters)"


def _readable(values: Mapping[str, Any]) -> dict[str, Any]:
    return {text(str(name), 100): _value(str(name), value, 0) for name, value in list(values.items())[:MOST_ITEMS]}


def _is_secret(name: str, value: Any) -> bool:
    # Numbers are limits and counts: `chunk_tokens` is no secret.
    if value is None or isinstance(value, bool | int | float) or value in ("", [], {}):
        return False
    return any(word.lower() in _SECRET_WORDS for word in _WORDS.findall(name))


def _value(name: str, value: Any, depth: int) -> Any:
    if _is_secret(name, value):
        return MASK
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        # PostgreSQL stores neither infinity nor -0.0, and writes large ones as whole numbers.
        return value + 0.0 if math.isfinite(value) and abs(value) < 1e15 else str(value)
    if isinstance(value, Mapping) and depth < DEEPEST:
        items = list(value.items())[:MOST_ITEMS]
        return {text(str(key), 100): _value(str(key), item, depth + 1) for key, item in items}
    if isinstance(value, list | tuple | set | frozenset) and depth < DEEPEST:
        values: list[Any] = [_value("", item, depth + 1) for item in list(value)[:MOST_ITEMS]]
        return values if len(value) <= MOST_ITEMS else [*values, f"… ({len(value)} in all)"]
    return text(str(value))


def _cut_to_change(old: Any, new: Any) -> tuple[Any, Any]:
    """Cut two long texts to begin shortly before the first difference."""
    if not (isinstance(old, str) and isinstance(new, str)) or max(len(old), len(new)) <= LONGEST_TEXT:
        return old, new
    common = next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    begin = max(0, common - CONTEXT)
    return (f"…{old[begin:]}", f"…{new[begin:]}") if begin else (old, new)
