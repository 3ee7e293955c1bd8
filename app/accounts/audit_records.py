"""Audit entries about a person, written to the chain of each organisation that the person belongs to."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction

from app.accounts.models import ApiKey, Membership, User
from app.audit.actors import Actor
from app.audit.trail import audit_record
from app.lib.tenancy import everything_visible


def key_label(key: UUID) -> str | None:
    """Return the name of an API key, for entries about changes by a program."""
    return ApiKey.objects.filter(pk=key).values_list("name", flat=True).first()


def person_label(user: UUID) -> str | None:
    """Return the e-mail address of a person, for entries about changes by that person."""
    return User.objects.filter(pk=user).values_list("email", flat=True).first()


def key_label_present(key: UUID, organisation: UUID | None) -> str | None:
    """Return the name of an API key of an organisation."""
    return ApiKey.objects.filter(pk=key, organisation=organisation).values_list("name", flat=True).first()


def person_label_present(user: UUID, organisation: UUID | None) -> str | None:
    """Return the e-mail address of a member of an organisation, or of anybody on the box."""
    here = {} if organisation is None else {"memberships__organisation": organisation}
    return User.objects.filter(pk=user, **here).values_list("email", flat=True).first()


@everything_visible()
def audit_record_person(
    *,
    user: User,
    action: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    actor: Actor | None = None,
) -> None:
    """Record a change of an account in each organisation of the person, or in the box's chain when there is none."""
    members = Membership.objects.filter(user=user).order_by("organisation_id")
    chains: list[UUID | None] = list(members.values_list("organisation_id", flat=True))
    with transaction.atomic(savepoint=False):
        # In a fixed order, so that two such changes cannot deadlock.
        for organisation in chains or [None]:
            audit_record(
                organisation=organisation,
                action=action,
                target_kind="user",
                target=str(user.pk),
                target_name=user.email,
                before=before,
                after=after,
                actor=actor,
            )
