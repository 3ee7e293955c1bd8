"""Formats of dates in Django admin: short and with 24 hours, as in the portal."""

DATE_FORMAT = "j M Y"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = "j M Y, H:i"
