from datetime import UTC, datetime

from django import template

register = template.Library()


@register.filter
def thousands(number: int) -> str:
    return f"{number:,}"


@register.filter
def utc_day(time: datetime) -> str:
    return f"{time.astimezone(UTC):%-d %B %Y}"
