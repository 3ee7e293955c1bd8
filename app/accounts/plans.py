"""The plans that Refdesk ships. Operators change them and add others in the admin."""

from typing import Any

from app.accounts.models import Plan

# Name: title, requests a minute.
SHIPPED: dict[str, tuple[str, int | None]] = {
    "unlimited": ("Unlimited", None),
    "standard": ("Standard", 1000),
    "free": ("Free", 100),
}


def plans_ship(**_: Any) -> None:
    """Make those that are not there; a plan that an operator changed stays as it is."""
    plans = [Plan(name=name, title=title, requests_per_minute=most) for name, (title, most) in SHIPPED.items()]
    Plan.objects.bulk_create(plans, ignore_conflicts=True)
