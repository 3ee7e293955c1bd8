"""API keys: create, rotate and revoke. A key acts in one organisation with one role and some scopes."""

import re
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from app.accounts.choices import Role, Scope
from app.accounts.key_hash import API_KEY_PREFIX, secret_hash, secret_make
from app.accounts.models import ApiKey, Organisation, User
from app.audit.trail import audit_record
from app.errors import Conflict, Invalid, NotAllowed, NotFound
from app.lib.times import time_text
from app.plans.models import Plan

LONGEST_OVERLAP_DAYS = 30
ALL_SCOPES = frozenset(Scope)
SHOWN_CHARACTERS = 6


def api_key_list(*, organisation: UUID) -> QuerySet[ApiKey]:
    return ApiKey.objects.filter(organisation=organisation)


def api_key_get(*, organisation: UUID, api_key: UUID) -> ApiKey:
    """Return a key of the organisation. Raises NotFound."""
    row = api_key_list(organisation=organisation).filter(pk=api_key).first()
    if row is None:
        raise NotFound
    return row


def api_key_payload(row: ApiKey) -> dict[str, Any]:
    """Return a key's payload in the API, without the secret."""
    times = {name: getattr(row, name) for name in ("created", "expires", "last_used", "revoked")}
    return {
        "id": row.id,
        "name": row.name,
        "prefix": row.prefix,
        "role": row.role,
        "scopes": row.scopes,
        "plan": row.plan_id,
        "state": row.state,
        "replaced_by": row.replaced_by_id,
        **{name: time and time_text(time) for name, time in times.items()},
    }


@transaction.atomic
def api_key_create(
    *,
    organisation: Organisation,
    name: str,
    role: Role = Role.ADMIN,
    scopes: Collection[Scope] = ALL_SCOPES,
    plan: str | None = None,
    created_by: User | None = None,
    creator_role: Role = Role.OWNER,
    creator_scopes: Collection[Scope] = ALL_SCOPES,
    expires: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Create a key and return its row and the key itself, which is shown once.

    A key belongs to the organisation, not to its creator.

    Raises:
        NotAllowed: the role or a scope is above the creator's.
        Invalid: no name, no scope, no such plan, or a date in the past.
    """
    _reach_check(creator_role, creator_scopes, role=role, scopes=scopes)
    name = name.replace("\0", "").strip()[:200]
    if not name:
        raise Invalid(message="A key needs a name.")
    if not scopes:
        raise Invalid(message="A key needs at least one scope.")
    if expires is not None and expires <= timezone.now():
        raise Invalid(message="A key must expire in the future.")
    if plan is not None and not Plan.objects.filter(pk=plan).exists():
        raise Invalid(message=f"There is no plan {plan!r}.")
    row, key = _store(
        ApiKey(
            organisation=organisation,
            name=name,
            role=role,
            scopes=[scope.value for scope in Scope if scope in scopes],
            plan_id=plan,
            created_by=created_by,
            expires=expires,
        )
    )
    _audit(row, "api_key.create", after=_grant_payload(row))
    return row, key


@transaction.atomic
def api_key_rotate(
    *,
    organisation: UUID,
    api_key: UUID,
    overlap_days: int = 0,
    actor: User | None = None,
    actor_role: Role = Role.OWNER,
    actor_scopes: Collection[Scope] = ALL_SCOPES,
) -> tuple[ApiKey, str]:
    """Replace a key by a new one with its name, role, scopes, plan and lifetime, which is shown once.

    The new key has the old one's conversations and continues the old one's month. Both are valid for `overlap_days`;
    then the old one has expired. The rotation never extends its lifetime.

    Raises:
        NotFound: no such key here.
        NotAllowed: its role or scopes are above the actor's.
        Conflict: it is revoked, expired or replaced already.
        Invalid: the overlap is not 0 to 30 days.
    """
    if not 0 <= overlap_days <= LONGEST_OVERLAP_DAYS:
        raise Invalid(message=f"Both keys can work for 0 to {LONGEST_OVERLAP_DAYS} days.")
    old = ApiKey.objects.select_for_update(of=("self",)).filter(organisation=organisation, pk=api_key).first()
    if old is None:
        raise NotFound
    _reach_check(actor_role, actor_scopes, role=Role(old.role), scopes=key_scopes(old))
    if not old.is_valid or old.replaced_by_id is not None:
        state = old.state if not old.is_valid else "replaced"
        raise Conflict(message=f"This key is {state} already: make a new one.")
    now = timezone.now()
    new, key = _store(
        ApiKey(
            organisation_id=organisation,
            name=old.name,
            role=old.role,
            scopes=old.scopes,
            plan_id=old.plan_id,
            family=old.family,
            created_by=actor,
            expires=None if old.expires is None else now + (old.expires - old.created),
        )
    )
    end = now + timedelta(days=overlap_days)
    old.expires = end if old.expires is None else min(old.expires, end)
    old.replaced_by = new
    old.save(update_fields=["expires", "replaced_by"])
    _audit(old, "api_key.rotate", after={**_grant_payload(new), "replaced_by": str(new.pk), "both_until": old.expires})
    return new, key


@transaction.atomic
def api_key_revoke(
    *,
    organisation: UUID,
    api_key: UUID,
    actor_role: Role = Role.OWNER,
    actor_scopes: Collection[Scope] = ALL_SCOPES,
) -> None:
    """Revoke a key permanently; an already revoked one stays unchanged.

    Raises:
        NotFound: no such key here.
        NotAllowed: its role or scopes are above the actor's.
    """
    row = api_key_get(organisation=organisation, api_key=api_key)
    _reach_check(actor_role, actor_scopes, role=Role(row.role), scopes=key_scopes(row))
    if ApiKey.objects.filter(pk=row.pk, revoked=None).update(revoked=timezone.now()):
        _audit(row, "api_key.revoke", before=_grant_payload(row))


def _grant_payload(row: ApiKey) -> dict[str, Any]:
    return {"prefix": row.prefix, "role": row.role, "scopes": row.scopes, "plan": row.plan_id, "expires": row.expires}


def _audit(row: ApiKey, action: str, **sides: Any) -> None:
    audit_record(
        organisation=row.organisation_id,
        action=action,
        target_kind="api_key",
        target=str(row.pk),
        target_name=row.name,
        **sides,
    )


def key_scopes(key: ApiKey) -> frozenset[Scope]:
    """Return a key's scopes. A name that this version does not know grants nothing."""
    return frozenset(Scope(name) for name in key.scopes if name in Scope.values)


def _reach_check(actor_role: Role, actor_scopes: Collection[Scope], *, role: Role, scopes: Collection[Scope]) -> None:
    """Refuse to create, copy or revoke a key with more rights than the actor."""
    if not actor_role.covers(Role.ADMIN) or not actor_role.covers(role):
        raise NotAllowed(message="The role of this key is above yours.")
    above = [scope.value for scope in Scope if scope in scopes and scope not in actor_scopes]
    if above:
        raise NotAllowed(message=f"These scopes are beyond yours: {', '.join(above)}.")


def _store(row: ApiKey) -> tuple[ApiKey, str]:
    key = secret_make(API_KEY_PREFIX)
    row.prefix, row.key_hash = key[: len(API_KEY_PREFIX) + SHOWN_CHARACTERS], secret_hash(key)
    row.save()
    return row, key


def expiry_read(text: str) -> datetime:
    """Return the time of a command's `90d` or `2027-01-31`; a day ends in UTC. Raises Invalid."""
    match = re.fullmatch(r"([0-9]{1,5})d", text)
    if match:
        return timezone.now() + timedelta(days=int(match[1]))
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(message=f"{text!r} is no time: write 90d, 2027-01-31 or 2027-01-31T12:00Z.") from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def api_key_find(*, organisation: UUID, named: str) -> ApiKey:
    """Return the key with an id, or with a prefix unique in the organisation. Raises NotFound, Conflict."""
    keys = ApiKey.objects.filter(organisation=organisation)
    try:
        rows = list(keys.filter(pk=UUID(named)))
    except ValueError:
        prefix = named.removesuffix("…")
        rows = list(keys.filter(prefix=prefix)) if prefix.startswith(API_KEY_PREFIX) else []
    if not rows:
        raise NotFound(message=f"There is no key {named!r} here. Name it by its id or its prefix.")
    if len(rows) > 1:
        raise Conflict(message=f"Several keys begin with {named!r}: name it by its id.")
    return rows[0]
