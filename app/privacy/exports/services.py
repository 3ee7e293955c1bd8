"""Services of exports. Those of erasures are in app/privacy/erasure/services.py."""

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from app.accounts.choices import Role
from app.accounts.models import Organisation, User
from app.audit.trail import audit_record
from app.errors import NotAllowed, NotFound, RefdeskError
from app.jobs.services import job_create, jobs_cancel
from app.privacy.choices import OPEN, ExportKind, RequestState
from app.privacy.exports.run import export_file_forget
from app.privacy.models import Export
from app.privacy.selectors import person_here

EXPORT = "export"
EXPORT_LIFETIME = timedelta(days=7)
EXPORTS_OPEN = 5


@transaction.atomic
def export_create(
    *,
    organisation: UUID,
    role: Role,
    person: str = "",
    requested_by: UUID | None = None,
) -> Export:
    """Queue an export of the organisation, or of what it holds of a person (e-mail address or id).

    Conversations are personal, so only an owner's export holds them.

    Raises:
        NotAllowed: the role is below admin.
        NotFound: the organisation holds nothing of such a person.
        RefdeskError: too_many_requests.
    """
    if not role.covers(Role.ADMIN):
        raise NotAllowed
    user = None
    if person:
        user = person_here(organisation=organisation, person=person).user
        if user is None:
            raise NotFound(message="Nobody here has this address.")
    kind = ExportKind.PERSON if user else ExportKind.ORGANISATION
    own = user is not None and user.pk == requested_by
    whole = role == Role.OWNER or own
    return _queue(organisation, kind, user, conversations=whole, requested_by=requested_by)


@transaction.atomic
def account_export_create(*, organisation: UUID, user: User) -> Export:
    """Queue an export of everything that the box holds of a person, for themselves.

    Raises:
        RefdeskError: too_many_requests.
    """
    return _queue(organisation, ExportKind.ACCOUNT, user, conversations=True, requested_by=user.pk)


def _queue(
    organisation: UUID, kind: ExportKind, user: User | None, *, conversations: bool, requested_by: UUID | None
) -> Export:
    # Serialises requests of the organisation, so that two at once cannot both pass the count.
    Organisation.objects.select_for_update().filter(pk=organisation).first()
    waiting = Export.objects.filter(organisation=organisation, state__in=OPEN)
    if waiting.count() >= EXPORTS_OPEN:
        raise RefdeskError("too_many_requests", "Other exports are being made. Wait for them.", retry_after_s=60)
    export = Export.objects.create(
        organisation_id=organisation,
        kind=kind,
        person=user,
        conversations=conversations,
        requested_by_id=requested_by,
        expires=timezone.now() + EXPORT_LIFETIME,
    )
    job_create(kind=EXPORT, organisation=organisation, subject=export.pk, key=str(export.pk))
    after = {"kind": kind.value, "person": str(user.pk) if user else None, "conversations": conversations}
    audit_record(
        organisation=organisation, action="export.create", target_kind="export", target=str(export.pk), after=after
    )
    return export


@transaction.atomic
def export_delete(*, organisation: UUID, export: Export) -> None:
    """Remove an export and its file; cancel it if it is being made."""
    jobs_cancel(organisation=organisation, kind=EXPORT, key=str(export.pk))
    Export.objects.filter(organisation=organisation, pk=export.pk).delete()
    audit_record(organisation=organisation, action="export.delete", target_kind="export", target=str(export.pk))
    if export.storage_key:
        transaction.on_commit(lambda: export_file_forget(export.storage_key))


def export_check_ready(export: Export) -> None:
    """Check that an export can be fetched. Raises RefdeskError: export_not_ready, export_expired."""
    if export.state != RequestState.DONE:
        raise RefdeskError("export_not_ready", details={"state": export.state})
    if not export.is_ready:
        raise RefdeskError("export_expired")
