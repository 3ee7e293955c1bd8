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
        return _times(place["start_s"], place.get("end_s") or 0)
    # The last two headings are enough: a path of five does not fit on a line.
    return " › ".join((place.get("heading") or [])[-2:])


def clock(seconds: float) -> str:
    """Return a time of a recording: "1:05", "1:02:05"."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


def _times(start: float, end: float) -> str:
    return f"{clock(start)}–{clock(end)}" if int(end) > int(start) else clock(start)


def _rows(rows: list[int] | None) -> str:
    if not rows:
        return ""
    first, last = rows[0], rows[-1]
    return f"row {first}" if first == last else f"rows {first}–{last}"
