from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from app.accounts.choices import Role
from app.accounts.models import Invitation, User
from app.errors import NotFound
from app.lib.times import time_text
from app.library.models import Document
from app.library.selectors.documents import error_payload
from app.privacy.choices import ExportKind
from app.privacy.models import Erasure, Export


@dataclass(frozen=True, slots=True)
class PersonHere:
    """A person whose data an organisation holds; `user` None: only invitations to the address."""

    email: str
    user: User | None


def person_here(*, organisation: UUID, person: str) -> PersonHere:
    """Return the person with this e-mail address or id, if the organisation holds anything of them.

    Raises:
        NotFound: the organisation holds nothing, whether an account exists elsewhere or not.
    """
    wanted = person.replace("\0", "").strip().lower()
    here = (
        Q(memberships__organisation=organisation)
        | Q(conversations__organisation=organisation)
        | Q(pk__in=_uploaders(organisation))
    )
    users = User.objects.filter(here).distinct()
    try:
        user = users.filter(pk=UUID(wanted)).first()
    except ValueError:
        user = users.filter(email=wanted).first()
    if user is not None:
        return PersonHere(user.email, user)
    if Invitation.objects.filter(organisation=organisation, email=wanted).exists():
        return PersonHere(wanted, None)
    raise NotFound(message="Nothing is held here of a person with this address.")


def _uploaders(organisation: UUID) -> "QuerySet[Any]":
    return Document.objects.filter(organisation=organisation).values("uploaded_by")


def export_list(*, organisation: UUID, role: Role, user: UUID | None = None) -> QuerySet[Export]:
    """Return exports that a caller may fetch: conversations only as an owner, an account only as that person."""
    rows = Export.objects.filter(organisation=organisation)
    own = Q(requested_by=user, person=user) if user is not None else Q(pk=None)
    if not role.covers(Role.ADMIN):
        return rows.filter(own)
    others = ~Q(kind=ExportKind.ACCOUNT)
    if role != Role.OWNER:
        others &= Q(conversations=False)
    return rows.filter(own | others)


def export_get(*, organisation: UUID, export: UUID, role: Role, user: UUID | None = None) -> Export:
    """Return an export that the caller may see. Raises NotFound."""
    found = export_list(organisation=organisation, role=role, user=user).filter(pk=export).first()
    if found is None:
        raise NotFound
    return found


def erasure_list(*, organisation: UUID) -> QuerySet[Erasure]:
    return Erasure.objects.filter(organisation=organisation)


def erasure_get(*, organisation: UUID, erasure: UUID) -> Erasure:
    """Return an erasure. Raises NotFound."""
    found = erasure_list(organisation=organisation).filter(pk=erasure).first()
    if found is None:
        raise NotFound
    return found


def export_shape(export: Export) -> dict[str, Any]:
    return {
        "id": str(export.pk),
        "kind": export.kind,
        "conversations": export.conversations,
        "state": export.state,
        "percent": export.percent,
        "bytes": export.bytes,
        "sha256": export.sha256,
        "counts": export.counts,
        "error": error_payload(export.error_code) if export.error_code else None,
        "created": time_text(export.created),
        "expires": time_text(export.expires),
    }


def erasure_shape(erasure: Erasure) -> dict[str, Any]:
    return {
        "id": str(erasure.pk),
        "kind": erasure.kind,
        "subject": str(erasure.subject),
        "state": erasure.state,
        "percent": erasure.percent,
        "error": error_payload(erasure.error_code) if erasure.error_code else None,
        "receipt": erasure.receipt,
        "created": time_text(erasure.created),
        "finished": time_text(erasure.finished) if erasure.finished else None,
    }
