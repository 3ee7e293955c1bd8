"""Times as every answer says them."""

from datetime import UTC, datetime


def time_text(moment: datetime | str) -> str:
    """RFC 3339 in UTC, to the millisecond. Text is PostgreSQL's JSON of a time, which drops zeros at its end."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
