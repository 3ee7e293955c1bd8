"""Services of erasures: they block access at once; a worker does the rest (app/privacy/erasure/run.py)."""

from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from app.accounts.choices import Role
from app.accounts.models import Membership, Organisation, User
from app.accounts.services import organisation_suspend
from app.audit.actors import actor_now
from app.audit.trail import audit_record
from app.chat.models import Conversation
from app.errors import Conflict, Invalid, NotAllowed, NotFound
from app.jobs.services import job_create, jobs_cancel
from app.lib.ids import new_id
from app.lib.tenancy import everything_visible, organisations_visible
from app.privacy.choices import OPEN, ErasureKind, RequestState
from app.privacy.erasure.rows import is_elsewhere, last_owner_check, person_described
from app.privacy.models import Erasure
from app.privacy.selectors import PersonHere, person_here

Targets = dict[str, Any]
ERASURE = "erasure"


@everything_visible()
@transaction.atomic
def organisation_erase(*, organisation: UUID, confirm: str, role: Role) -> Erasure:
    """Queue the erasure of an organisation with all its data, and close it at once.

    Raises:
        NotAllowed: the role is not owner.
        Invalid: `confirm` is not the organisation's slug.
    """
    if role != Role.OWNER:
        raise NotAllowed
    row = Organisation.objects.select_for_update().filter(pk=organisation).first()
    if row is None:
        raise NotFound
    if confirm != row.slug:
        raise Invalid(message=f"To erase the organisation, confirm with its slug: {row.slug}.")
    known = Erasure.objects.filter(kind=ErasureKind.ORGANISATION, subject=row.pk, state__in=OPEN).first()
    if known is not None:
        return known
    organisation_suspend(organisation=row, suspended=True)
    return _queue(ErasureKind.ORGANISATION, row.pk, row.pk, {"worker_busy": bool(jobs_cancel(organisation=row.pk))})


# Other organisations have to be visible: their data of the person decides whether the account is erased too.
@everything_visible()
@transaction.atomic
def person_erase(*, organisation: UUID, person: str, role: Role) -> Erasure:
    """Queue the erasure of what an organisation holds of a person (e-mail address or id).

    The account is erased too when the person is in no other organisation.

    Raises:
        NotAllowed: the person's role is above the caller's.
        NotFound: the organisation holds nothing of such a person.
        RefdeskError: last_owner.
    """
    if not role.covers(Role.ADMIN):
        raise NotAllowed
    # Found within the organisation; the person's other memberships are counted over all of them.
    with organisations_visible(organisation):
        found = person_here(organisation=organisation, person=person)
    return _person_erase(organisation, found, role)


def _person_erase(organisation: UUID, found: PersonHere, role: Role) -> Erasure:
    targets: Targets = {"person": person_described(found.user, found.email), "email": found.email}
    if found.user is None:
        # Invitations alone: there is no user's id to be the subject.
        return _queue(ErasureKind.PERSON, organisation, new_id(), targets)
    with organisations_visible(organisation):
        member = Membership.objects.filter(organisation=organisation, user=found.user).first()
    if member is not None and not role.covers(Role(member.role)):
        raise NotAllowed
    last_owner_check(found.user.pk, organisation)
    # The membership ends here, before the worker counts what there is.
    targets["memberships_ended"] = int(member is not None)
    erasure = _queue(ErasureKind.PERSON, organisation, found.user.pk, targets)
    if member is not None:
        # The person has no access to this organisation from now on.
        member.delete()
    if not found.user.is_operator and not is_elsewhere(found.user, organisation):
        _account_queue(found.user)
    return erasure


@everything_visible()
@transaction.atomic
def account_erase(*, user: User) -> Erasure:
    """Queue the erasure of a person's account and all their data, and sign them out at once.

    Raises:
        RefdeskError: last_owner.
        Conflict: the person is the only operator.
    """
    last_owner_check(user.pk, None)
    operators = User.objects.select_for_update().filter(is_operator=True, is_active=True)
    if user.is_operator and not any(each.pk != user.pk for each in operators):
        raise Conflict(message="Nobody else runs this box. Make somebody else an operator first.")
    return _account_queue(user)


def _account_queue(user: User) -> Erasure:
    organisations = set(Membership.objects.filter(user=user).values_list("organisation_id", flat=True))
    organisations |= set(Conversation.objects.filter(user=user).values_list("organisation_id", flat=True))
    targets: Targets = {
        "person": person_described(user, user.email),
        "email": user.email,
        "organisations": sorted(str(each) for each in organisations),
    }
    User.objects.filter(pk=user.pk).update(is_active=False)
    return _queue(ErasureKind.ACCOUNT, None, user.pk, targets)


@everything_visible()
@transaction.atomic
def conversation_owner_erase(*, organisation: UUID, conversation: UUID, role: Role) -> Erasure:
    """Queue the erasure of a conversation's owner (as for a person), or, if a program owns it, of this conversation.

    Raises:
        NotFound: no such conversation here.
        NotAllowed, RefdeskError: as for a person.
    """
    # Found within the organisation; only rows of the person are looked for over all of them.
    with organisations_visible(organisation):
        row = Conversation.objects.select_related("user").filter(organisation=organisation, pk=conversation).first()
    if row is None:
        raise NotFound(message="There is no such conversation.")
    if role != Role.OWNER:
        # The owner of a conversation is as personal as its text.
        raise NotAllowed
    if row.user is not None:
        return _person_erase(organisation, PersonHere(row.user.email, row.user), role)
    return _queue(ErasureKind.CONVERSATION, organisation, row.pk, {})


def _queue(kind: ErasureKind, organisation: UUID | None, subject: UUID, targets: Targets) -> Erasure:
    actor = actor_now()
    try:
        with transaction.atomic():
            erasure = Erasure.objects.create(
                kind=kind,
                organisation_id=organisation,
                subject=subject,
                targets=targets,
                asked_by=actor.id,
                asked_by_kind=actor.kind,
            )
    except IntegrityError:
        # An erasure of the same subject is open already.
        return Erasure.objects.get(kind=kind, organisation=organisation, subject=subject, state__in=OPEN)
    audit_record(
        organisation=None if kind == ErasureKind.ACCOUNT else organisation,
        action="erasure.create",
        target_kind=kind.value,
        target=str(subject),
    )
    _job_create(erasure)
    return erasure


def _job_create(erasure: Erasure) -> None:
    # Without an organisation: the job has to survive the organisation, whose own jobs are removed.
    job_create(kind=ERASURE, subject=erasure.pk, key=str(erasure.pk))


@everything_visible()
@transaction.atomic
def erasure_retry(*, erasure: Erasure) -> None:
    """Queue a failed erasure again. Raises Conflict."""
    changed = Erasure.objects.filter(pk=erasure.pk, state=RequestState.FAILED).update(
        state=RequestState.QUEUED, error_code="", updated=timezone.now()
    )
    if not changed:
        raise Conflict(message="It has not failed.")
    audit_record(
        organisation=None if erasure.kind == ErasureKind.ACCOUNT else erasure.organisation_id,
        action="erasure.retry",
        target_kind=erasure.kind,
        target=str(erasure.subject),
    )
    _job_create(erasure)


def erasure_asked(
    *, organisation: UUID, slug: str, role: Role, person: str, conversation: UUID | None, named: str, confirm: str
) -> Erasure:
    """Start the erasure that a request names: exactly one of a person, a conversation, or the organisation's slug.

    Raises:
        Invalid: no subject or more than one.
        NotFound: the slug is not that of the caller's organisation.
    """
    if sum(map(bool, (person, conversation, named))) != 1:
        raise Invalid(message="Name exactly one of person, conversation and organisation.")
    if person:
        return person_erase(organisation=organisation, person=person, role=role)
    if conversation:
        return conversation_owner_erase(organisation=organisation, conversation=conversation, role=role)
    if named != slug:
        raise NotFound(message="This is not the organisation that you are in.")
    return organisation_erase(organisation=organisation, confirm=confirm, role=role)
