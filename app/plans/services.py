"""Plans: those that Refdesk ships, and changes and additions by operators."""

from collections.abc import Mapping
from typing import Any

from django.apps import apps as installed
from django.apps.registry import Apps
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import ProtectedError

from app.audit.trail import audit_record
from app.errors import Conflict, Invalid, NotFound
from app.lib.nearest_name import did_you_mean
from app.plans.models import Plan

# Name: title, requests a minute.
SHIPPED: dict[str, tuple[str, int | None]] = {
    "unlimited": ("Unlimited", None),
    "standard": ("Standard", 1000),
    "free": ("Free", 100),
}


def plans_ship(*, apps: Apps = installed, **_: Any) -> None:
    """Create missing shipped plans; a plan that an operator changed stays as it is.

    A receiver of Django's signal `post_migrate`; `apps` are those whose tables exist by then.
    """
    try:
        model = apps.get_model("plans", "Plan")
    except LookupError:
        # True while `migrate` runs for another app alone.
        return
    plans = [model(name=name, title=title, requests_per_minute=most) for name, (title, most) in SHIPPED.items()]
    model._default_manager.bulk_create(plans, ignore_conflicts=True)


def plan_get(*, name: str) -> Plan:
    """Return a plan. Raises Invalid: there is none of this name."""
    plan = Plan.objects.filter(pk=name).first()
    if plan is None:
        known = list(Plan.objects.values_list("name", flat=True))
        meant = did_you_mean(name, known)
        raise Invalid(message=f"There is no plan {name!r}.{meant} There are: {', '.join(known)}.")
    return plan


@transaction.atomic
def plan_create(*, name: str, values: Mapping[str, Any]) -> Plan:
    """Create a plan.

    Raises:
        Conflict: the name is taken.
        Invalid: a value cannot be used.
    """
    if Plan.objects.filter(pk=name).exists():
        raise Conflict(message=f"There is a plan {name!r} already.")
    plan = _validated(Plan(name=name, **values))
    plan.save(force_insert=True)
    _audit("plan.create", plan, after=values)
    return plan


@transaction.atomic
def plan_update(*, name: str, values: Mapping[str, Any]) -> Plan:
    """Change limits; they take effect within two seconds, for every organisation and key that has the plan.

    Raises:
        NotFound: no such plan.
        Invalid: a value cannot be used.
    """
    plan = Plan.objects.select_for_update().filter(pk=name).first()
    if plan is None:
        raise NotFound
    before = {field: getattr(plan, field) for field in values}
    for field, value in values.items():
        setattr(plan, field, value)
    _validated(plan)
    if before != dict(values):
        plan.save(update_fields=list(values))
        _audit("plan.update", plan, before=before, after=values)
    return plan


@transaction.atomic
def plan_delete(*, name: str) -> None:
    """Delete a plan. Raises Conflict: an organisation or a key has it, or Refdesk ships it."""
    plan = Plan.objects.select_for_update().filter(pk=name).first()
    if plan is None:
        return
    if name in SHIPPED:
        raise Conflict(message="Refdesk ships this plan, and would create it again. Change its limits instead.")
    try:
        plan.delete()
    except ProtectedError as error:
        raise Conflict(message="An organisation or a key has this plan. Give it another one first.") from error
    plan.name = name
    _audit("plan.delete", plan)


def _validated(plan: Plan) -> Plan:
    try:
        plan.clean_fields()
    except ValidationError as error:
        raise Invalid(message="; ".join(error.messages)) from error
    return plan


def _audit(action: str, plan: Plan, **sides: Any) -> None:
    audit_record(
        organisation=None, action=action, target_kind="plan", target=plan.name, target_name=plan.title, **sides
    )
