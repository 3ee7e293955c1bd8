from typing import Any


def place_label(place: dict[str, Any]) -> str:
    """Return the place of a passage in its document, in words: "page 4", "Leave › Carrying over", "rows 3–5"."""
    kind = place.get("kind")
    if kind == "page" and place.get("page"):
        label = place.get("page_label")
        return f"page {place['page']} (printed {label})" if label else f"page {place['page']}"
    if kind == "row":
        return ", ".join(part for part in (place.get("sheet"), _rows(place.get("rows"))) if part)
    if kind == "slide" and place.get("slide"):
        return f"slide {place['slide']}"
    if kind == "time" and place.get("start_s") is not None:
        return _times(int(place["start_s"]), int(place.get("end_s") or 0))
    # The last two headings are enough: a path of five does not fit on a line.
    return " › ".join((place.get("heading") or [])[-2:])


def _times(start: int, end: int) -> str:
    return f"{_clock(start)}–{_clock(end)}" if end > start else _clock(start)


def _clock(seconds: int) -> str:
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return f"{hours}:{minutes:02d}:{seconds % 60:02d}" if hours else f"{minutes}:{seconds % 60:02d}"


def _rows(rows: list[int] | None) -> str:
    if not rows:
        return ""
    first, last = rows[0], rows[-1]
    return f"row {first}" if first == last else f"rows {first}–{last}"
