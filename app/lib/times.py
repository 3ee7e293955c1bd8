"""Times in responses."""

from datetime import UTC, datetime


def time_text(time: datetime | str) -> str:
    """Return a time as RFC 3339 in UTC, to the millisecond.

    A text is a time in PostgreSQL's JSON, without final zeros.
    """
    if isinstance(time, str):
        time = datetime.fromisoformat(time)
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
