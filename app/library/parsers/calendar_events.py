"""Invitations (iCalendar): what, when, where and with whom, as lines that people read."""

import re
from datetime import datetime

from app.library.parsers.encoding import one_line
from app.library.parsers.outline import Outline

_LINE = re.compile(r"([A-Za-z-]+)((?:;[^;:\"]*(?:\"[^\"]*\"[^;:\"]*)*)*):(.*)")
_ESCAPE = re.compile(r"\\([\\;,nN])")
_ZONE = re.compile(r'TZID="?([^;:"]+)', re.I)
_NAME = re.compile(r'CN="?([^;:"]+)', re.I)
_LABELS = {
    "SUMMARY": "Event",
    "DTSTART": "Start",
    "DTEND": "End",
    "LOCATION": "Location",
    "ORGANIZER": "Organizer",
    "ATTENDEE": "Attendee",
    "RRULE": "Repeats",
    "STATUS": "Status",
    "DESCRIPTION": "Description",
}
_EVENTS = 1000


def events_add(text: str, outline: Outline) -> None:
    """Add the events of a calendar, each as one paragraph."""
    unfolded = re.sub(r"\n[ \t]", "", text.replace("\r\n", "\n"))
    lines: list[str] | None = None
    events = 0
    for line in unfolded.split("\n"):
        upper = line.strip().upper()
        if upper in ("BEGIN:VEVENT", "BEGIN:VTODO"):
            lines, events = [], events + 1
        elif upper in ("END:VEVENT", "END:VTODO") and lines is not None:
            outline.add("paragraph", "\n".join(lines))
            lines = None
        elif upper == "BEGIN:VALARM" and lines is not None:
            # The text of an alarm repeats that of the event.
            outline.add("paragraph", "\n".join(lines))
            lines = None
        elif lines is not None and (match := _LINE.match(line)) and match[1].upper() in _LABELS:
            value = _value(match[1].upper(), match[2], match[3])
            if value:
                lines.append(f"{_LABELS[match[1].upper()]}: {value}")
        if events > _EVENTS:
            return


def _value(name: str, parameters: str, value: str) -> str:
    if name in ("ORGANIZER", "ATTENDEE"):
        person, address = _NAME.search(parameters), re.sub(r"(?i)^mailto:", "", value.strip())
        return f"{one_line(person[1])} <{address}>" if person and person[1].strip() != address else address
    if name in ("DTSTART", "DTEND"):
        return _time(value.strip(), parameters)
    return one_line(_ESCAPE.sub(lambda match: " " if match[1] in "nN" else match[1], value))


def _time(value: str, parameters: str) -> str:
    zone = _ZONE.search(parameters)
    for form, shown in (
        ("%Y%m%dT%H%M%SZ", "%d %B %Y, %H:%M UTC"),
        ("%Y%m%dT%H%M%S", "%d %B %Y, %H:%M"),
        ("%Y%m%d", "%d %B %Y"),
    ):
        try:
            text = datetime.strptime(value, form).strftime(shown).lstrip("0")
        except ValueError:
            continue
        return f"{text} ({zone[1]})" if zone and form.endswith("S") else text
    return value
