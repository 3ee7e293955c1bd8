from datetime import UTC, datetime

from django import template

register = template.Library()


@register.filter
def thousands(number: int) -> str:
    return f"{number:,}"


@register.filter
def utc_day(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%-d %B %Y}"
