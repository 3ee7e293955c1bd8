"""Count and remove rows of an organisation, a person or a conversation in PostgreSQL.

The same queries find a person's rows before and after the erasure, so that both counts of a receipt are comparable.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.apps import apps
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.models import ForeignKey, Model, Q, QuerySet

from app.accounts.choices import Role
from app.accounts.models import ApiKey, Identity, Invitation, Membership, OneTimeToken, Organisation, SignIn, User
from app.accounts.password_reset import RESET_MAIL
from app.audit.models import AuditDetail
from app.audit.trail import audit_details_erase
from app.bots.models import BotRevision
from app.chat.models import Citation, Conversation, Message
from app.errors import RefdeskError
from app.jobs.models import Job
from app.jobs.selectors import jobs_open
from app.jobs.services import job_restart, jobs_cancel
from app.lib.storage import exports_storage
from app.library.models import Document
from app.privacy.choices import OPEN, ExportKind
from app.privacy.exports.services import EXPORT
from app.privacy.models import Export
from app.privacy.retention.run import conversations_remove

Counts = dict[str, int]


def organisation_tables() -> list[type[Model]]:
    """Return tables whose rows go with their organisation: those that the database itself ties to it.

    Tables without that tie (audit trail, usage ledger, erasures) outlive it and holds ids; audit details are emptied.
    """
    found = []
    for model in apps.get_models(include_auto_created=True):
        field: Any = next((each for each in model._meta.local_fields if each.name == "organisation"), None)
        if isinstance(field, ForeignKey) and field.db_constraint:  # type: ignore[attr-defined]
            found.append(model)
    return found


def organisation_rows_count(organisation: UUID) -> Counts:
    counts = {
        model._meta.db_table: model._default_manager.filter(organisation=organisation).count()
        for model in organisation_tables()
    }
    counts["organisation"] = Organisation.objects.filter(pk=organisation).count()
    counts["audit_details"] = AuditDetail.objects.filter(organisation=organisation).exclude(_BLANK).count()
    return counts


_BLANK = Q(content__has_key="erased")


def organisation_rows_erase(organisation: UUID) -> None:
    """Erase the rows in one transaction. The database checks at its end that nothing refers to what is gone."""
    with connection.cursor() as cursor:
        for model in organisation_tables():
            cursor.execute(
                f"DELETE FROM {model._meta.db_table} WHERE organisation_id = %s",  # noqa: S608 (our own names)
                [organisation],
            )
        cursor.execute("DELETE FROM accounts_organisation WHERE id = %s", [organisation])
    audit_details_erase(organisation=organisation)


def people_only_in(organisation: UUID) -> list[User]:
    """Return people of whom nothing would be left without this organisation. An operator is the box's."""
    here = Q(memberships__organisation=organisation) | Q(conversations__organisation=organisation)
    users = User.objects.filter(here, is_operator=False).distinct()
    return [user for user in users if not is_elsewhere(user, organisation)]


def is_elsewhere(user: User, organisation: UUID) -> bool:
    """Return whether another organisation has the person as a member, or conversations of theirs."""
    rows = (Membership.objects.filter(user=user), Conversation.objects.filter(user=user))
    return any(each.exclude(organisation=organisation).exists() for each in rows)


def person_described(user: User | None, email: str) -> dict[str, Any]:
    """Return the names by which a person is found in the stores when their rows are gone."""
    if user is None:
        return {"id": None, "email": email, "addresses": []}
    addresses = SignIn.objects.filter(user=user).exclude(address=None).values_list("address", flat=True)
    return {"id": str(user.pk), "email": user.email, "addresses": sorted(set(addresses))}


def person_rows(person: dict[str, Any], organisation: UUID | None) -> dict[str, QuerySet[Any]]:
    """Return rows about a person that are removed: of one organisation, or everywhere (None)."""
    user, here = person["id"], _here(organisation)
    threads = Conversation.objects.filter(user=user, **here) if user else Conversation.objects.none()
    rows: dict[str, QuerySet[Any]] = {
        "conversations": threads,
        "messages": Message.objects.filter(conversation__in=threads.values("pk")),
        "citations": Citation.objects.filter(message__conversation__in=threads.values("pk")),
        "invitations": Invitation.objects.filter(email__iexact=person["email"], **here),
        "memberships": Membership.objects.filter(user=user, **here) if user else Membership.objects.none(),
    }
    if organisation is None:
        rows |= {
            "accounts": User.objects.filter(pk=user),
            "identities": Identity.objects.filter(user=user),
            "sign_ins": SignIn.objects.filter(user=user),
            "one_time_tokens": OneTimeToken.objects.filter(user=user),
            "mails_waiting": Job.objects.filter(kind=RESET_MAIL, payload__email=person["email"]),
        }
    return rows


def person_names(person: dict[str, Any], organisation: UUID | None) -> dict[str, tuple[QuerySet[Any], str]]:
    """Return the rows that stay and name the person in a column, which is emptied."""
    user, here = person["id"], _here(organisation)
    if user is None:
        return {}
    return {
        "named_in_documents": (Document.objects.filter(uploaded_by=user, **here), "uploaded_by"),
        "named_in_revisions": (BotRevision.objects.filter(created_by=user, **here), "created_by"),
        "named_in_keys": (ApiKey.objects.filter(created_by=user, **here), "created_by"),
        "named_in_invitations": (Invitation.objects.filter(invited_by=user, **here), "invited_by"),
        "named_in_exports": (Export.objects.filter(requested_by=user, **here), "requested_by"),
    }


def _here(organisation: UUID | None) -> dict[str, Any]:
    return {} if organisation is None else {"organisation": organisation}


def person_rows_count(person: dict[str, Any], organisation: UUID | None) -> Counts:
    counts = {name: rows.count() for name, rows in person_rows(person, organisation).items()}
    counts |= {name: rows.count() for name, (rows, _) in person_names(person, organisation).items()}
    if organisation is None:
        counts["sessions"] = len(sessions_of({person["id"]}))
    counts["audit_details"] = _details(person, organisation).count()
    return counts


def _details(person: dict[str, Any], organisation: UUID | None) -> "QuerySet[AuditDetail]":
    about = Q(entry__actor=person["id"]) | Q(entry__target=person["id"]) if person["id"] else Q(pk=None)
    rows = AuditDetail.objects.filter(about, **_here(organisation))
    return rows.exclude(_BLANK)


def person_rows_erase(person: dict[str, Any], organisation: UUID | None) -> None:
    """Erase conversations batch by batch, since there may be many; the rest in the caller's transaction.

    Raises:
        RefdeskError: last_owner.
    """
    if person["id"]:
        last_owner_check(UUID(person["id"]), organisation)
    for rows, column in person_names(person, organisation).values():
        rows.update(**{column: None})
    rows_of = person_rows(person, organisation)
    for name in ("invitations", "memberships"):
        rows_of[name].delete()
    if organisation is None:
        rows_of["mails_waiting"].delete()
    if organisation is None and person["id"]:
        Session.objects.filter(pk__in=sessions_of({person["id"]})).delete()
        # Cascades to identities, sign-ins and tokens.
        User.objects.filter(pk=person["id"]).delete()
    user = UUID(person["id"]) if person["id"] else None
    audit_details_erase(organisation=organisation, user=user, email=person["email"])


def person_conversations_erase(person: dict[str, Any], organisation: UUID | None) -> None:
    conversations_remove(person_rows(person, organisation)["conversations"])


def last_owner_check(user: UUID, organisation: UUID | None) -> None:
    """Check that every organisation keeps an owner. Raises RefdeskError (last_owner)."""
    owned = Membership.objects.filter(user=user, role=Role.OWNER, **_here(organisation))
    ids = sorted(owned.values_list("organisation_id", flat=True))
    # Locks these rows, as every change of an owner does (app/accounts/services.py).
    list(Organisation.objects.select_for_update().filter(pk__in=ids).order_by("pk"))
    others = Membership.objects.filter(role=Role.OWNER, user__is_active=True, organisation__in=ids).exclude(user=user)
    left = set(others.values_list("organisation_id", flat=True))
    alone = Organisation.objects.filter(pk__in=set(ids) - left).values_list("slug", flat=True)
    if alone:
        raise RefdeskError(
            "last_owner",
            "Nobody else owns: " + ", ".join(sorted(alone)) + ".",
            details={"organisations": sorted(alone)},
        )


def sessions_of(users: set[str | None]) -> list[str]:
    """Return keys of the sessions of people. A session's row does not say whose it is, only its content does."""
    wanted = {user for user in users if user}
    if not wanted:
        return []
    rows = Session.objects.iterator(chunk_size=1000)
    return [row.session_key for row in rows if row.get_decoded().get(SESSION_KEY) in wanted]


def exports_erase(organisations: Iterable[UUID], person: UUID | None) -> None:
    """Remove exports that may hold a person's data with their files; one that is being made begins anew."""
    concerned = Q(kind=ExportKind.ORGANISATION) | (Q(person=person) if person else Q(pk=None))
    rows = Export.objects.filter(concerned, Q(organisation__in=list(organisations)) | Q(person=person))
    for pk in list(rows.filter(kind=ExportKind.ORGANISATION, state__in=OPEN).values_list("pk", flat=True)):
        for job in jobs_open(kind=EXPORT).filter(unique_key=str(pk)).values_list("pk", flat=True):
            job_restart(job=job)
    ended = rows.exclude(kind=ExportKind.ORGANISATION, state__in=OPEN)
    for pk, organisation, key in list(ended.values_list("pk", "organisation_id", "storage_key")):
        jobs_cancel(organisation=organisation, kind=EXPORT, key=str(pk))
        if key:
            exports_storage().delete(key)
        Export.objects.filter(pk=pk).delete()


def exports_count(organisations: Iterable[UUID], person: UUID | None) -> int:
    concerned = Q(kind=ExportKind.ORGANISATION) | (Q(person=person) if person else Q(pk=None))
    rows = Export.objects.filter(concerned, Q(organisation__in=list(organisations)) | Q(person=person))
    return rows.exclude(storage_key="").count()
