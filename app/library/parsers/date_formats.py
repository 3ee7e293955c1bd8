"""Dates and times of spreadsheets, as their format codes show them."""

import re
from datetime import datetime, timedelta

_IGNORED = re.compile(r'"[^"]*"?|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]', re.I | re.S)
_DATE = re.compile(r"[ymdhs]|AM/PM|A/P", re.I)
_TOKEN = re.compile(
    r'"([^"]*)"?|\\(.)|_.|\*.|\[(h+|m+|s+)\]|\[[^\]]*\]|(AM/PM|A/P)|(y+|m+|d+|h+|s+|e+|b+|g+|a{3,4}(?!\w))|\.(0+)|(.)',
    re.I | re.S,
)
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

Part = tuple[str, str]


def is_date_code(code: str) -> bool:
    """Return whether a format code writes dates or times."""
    bare = _IGNORED.sub("", code)
    return "general" not in bare.lower() and not re.search(r"[0#?]E[+-]", bare) and bool(_DATE.search(bare))


def shown_date(code: str, value: float, moment: datetime | None) -> str:
    """Write a moment as a code says. value: the stored days. Errors: ValueError for a day outside the calendar."""
    parts = _parts(code)
    elapsed = any(kind == "elapsed" for kind, _ in parts)
    if moment is None and not elapsed:
        raise ValueError("a day outside the calendar")
    if not any(kind == "fraction" for kind, _ in parts) and moment is not None:
        # The last second of a day is stored as a fraction that may lie a little below it.
        moment = (moment + timedelta(microseconds=500_000)).replace(microsecond=0)
    noon = any(kind == "noon" for kind, _ in parts)
    seconds = round(abs(value) * 86_400)
    shown = "".join(_written(parts, at, moment, seconds, noon) for at in range(len(parts)))
    return ("-" if elapsed and value < 0 else "") + " ".join(shown.split())


def _parts(code: str) -> list[Part]:
    parts: list[Part] = []
    for match in _TOKEN.finditer(code):
        quoted, escaped, elapsed, noon, letters, fraction, char = match.groups()
        if elapsed:
            parts.append(("elapsed", elapsed.lower()))
        elif noon:
            parts.append(("noon", noon))
        elif letters:
            parts.append(("date", letters.lower()))
        elif fraction:
            parts.append(("fraction", fraction))
        else:
            text = next((each for each in (quoted, escaped, char) if each is not None), "")
            parts.append(("text", "" if text in ("@", ";") else text))
    return parts


def _written(parts: list[Part], at: int, moment: datetime | None, seconds: int, noon: bool) -> str:
    kind, text = parts[at]
    if kind == "elapsed":
        amount = {"h": seconds // 3600, "m": seconds // 60, "s": seconds}[text[0]]
        return str(amount).rjust(len(text), "0")
    if kind == "text":
        return text
    if moment is None:
        hour, minute, second = 0, seconds // 60 % 60, seconds % 60
        return _clock(text, hour, minute, second)
    if kind == "noon":
        half = "PM" if moment.hour >= 12 else "AM"
        return half if len(text) > 3 else half[0]
    if kind == "fraction":
        return f".{moment.microsecond:06d}"[: len(text) + 1]
    if text[0] == "m" and not _is_minutes(parts, at):
        return _month(text, moment)
    if text[0] in "hms":
        hour = (moment.hour % 12 or 12) if noon else moment.hour
        return _clock(text, hour, moment.minute, moment.second)
    if text[0] == "d":
        return str(moment.day).rjust(len(text), "0") if len(text) < 3 else _weekday(text, moment)
    if text[0] == "y":
        return f"{moment.year % 100:02d}" if len(text) < 3 else f"{moment.year:04d}"
    if text[0] == "e":
        return str(moment.year)
    return _weekday(text, moment) if text[0] == "a" else ""


def _weekday(text: str, moment: datetime) -> str:
    name = _DAYS[moment.weekday()]
    return name[:3] if len(text) == 3 else name


def _clock(text: str, hour: int, minute: int, second: int) -> str:
    amount = {"h": hour, "m": minute, "s": second}.get(text[0], 0)
    return str(amount).rjust(min(len(text), 2), "0")


def _month(text: str, moment: datetime) -> str:
    if len(text) < 3:
        return str(moment.month).rjust(len(text), "0")
    name = _MONTHS[moment.month - 1]
    return name if len(text) == 4 else name[0] if len(text) == 5 else name[:3]


def _is_minutes(parts: list[Part], at: int) -> bool:
    """Return whether `m` is minutes: behind hours, or before seconds."""
    before = [text for kind, text in parts[:at] if kind in ("date", "elapsed")]
    behind = [text for kind, text in parts[at + 1 :] if kind in ("date", "elapsed")]
    return bool((before and before[-1][0] == "h") or (behind and behind[0][0] == "s"))
