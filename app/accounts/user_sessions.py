"""Open sessions of people: one row for each, so that a session can be listed and ended."""

from uuid import UUID

from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from app.accounts.audit_records import audit_record_person
from app.accounts.choices import Role
from app.accounts.models import Membership, SignIn, User
from app.audit.trail import audit_record
from app.errors import NotAllowed, NotFound

AGENT_LENGTH = 300


def client_address(request: HttpRequest) -> str:
    """Return the caller's IP as seen by the web server. Only the server evaluates forwarded headers."""
    return str(request.META.get("REMOTE_ADDR", ""))


@transaction.atomic
def user_session_record(*, request: HttpRequest, user: User, issuer: str = "", provider_session: str = "") -> SignIn:
    """Record the session that `login` has just created, and remove the person's rows of ended sessions.

    `issuer` and `provider_session` belong to the OIDC provider that authenticated the person.
    """
    user_sessions_purge(user=user)
    if request.session.session_key is None:
        request.session.save()
    row, is_new = SignIn.objects.update_or_create(
        session_key=str(request.session.session_key),
        defaults={
            "user": user,
            "issuer": issuer,
            "provider_session": provider_session,
            "address": client_address(request) or None,
            "agent": request.headers.get("User-Agent", "").replace("\0", "")[:AGENT_LENGTH],
        },
    )
    if is_new:
        audit_record_person(user=user, action="user.sign_in", after={"issuer": issuer} if issuer else None)
    return row


def user_session_rekey(*, before: str | None, after: str | None) -> None:
    """Change a session's row to the new key that Django gives the session when the password changes."""
    SignIn.objects.filter(session_key=before).update(session_key=after)


def _live() -> QuerySet[Session]:
    return Session.objects.filter(expire_date__gt=timezone.now())


def user_session_list(*, user: UUID) -> QuerySet[SignIn]:
    """Return the open sessions of a person, the newest first."""
    return SignIn.objects.filter(user=user, session_key__in=_live().values("session_key"))


@transaction.atomic
def user_session_end(*, user: UUID, session: UUID) -> str:
    """End one session of a person and return its key. Raises NotFound."""
    row = SignIn.objects.filter(user=user, pk=session).first()
    if row is None:
        raise NotFound
    _remove(SignIn.objects.filter(pk=row.pk))
    audit_record_person(user=row.user, action="user.session_end", before={"since": row.created})
    return row.session_key


@transaction.atomic
def user_sessions_end(*, user: UUID, but: str | None = None) -> int:
    """End a person's sessions, except the one with the key `but`, and return their number."""
    rows = SignIn.objects.filter(user=user)
    return _remove(rows.exclude(session_key=but) if but else rows)


@transaction.atomic
def user_sessions_end_at_provider(*, issuer: str, provider_session: str = "", user: UUID | None = None) -> int:
    """End the sessions that an OIDC provider authenticated: those of one provider session, or all of a person's."""
    rows = SignIn.objects.filter(issuer=issuer)
    if provider_session:
        rows = rows.filter(provider_session=provider_session)
    elif user is None:
        return 0
    return _remove(rows.filter(user=user) if user is not None else rows)


def _remove(rows: QuerySet[SignIn]) -> int:
    keys = list(rows.values_list("session_key", flat=True))
    Session.objects.filter(session_key__in=keys).delete()
    SignIn.objects.filter(session_key__in=keys).delete()
    return len(keys)


@transaction.atomic
def member_sign_out(*, organisation: UUID, membership: UUID, actor_role: Role) -> int:
    """Sign a member out everywhere and return the number of sessions. They may sign in again.

    Raises:
        NotFound: no such member here.
        NotAllowed: the member's role is above the actor's.
    """
    row = Membership.objects.select_related("user").filter(organisation=organisation, pk=membership).first()
    if row is None:
        raise NotFound
    if not actor_role.covers(Role.ADMIN) or not actor_role.covers(Role(row.role)):
        raise NotAllowed
    return _sign_out(row.user, organisation=organisation)


@transaction.atomic
def user_sign_out(*, user: UUID) -> int:
    """Sign a person out everywhere, as an operator, and return the number of sessions. Raises NotFound."""
    row = User.objects.filter(pk=user).first()
    if row is None:
        raise NotFound
    return _sign_out(row, organisation=None)


def _sign_out(user: User, *, organisation: UUID | None) -> int:
    count = user_sessions_end(user=user.pk)
    audit_record(
        organisation=organisation,
        action="user.sessions_end",
        target_kind="user",
        target=str(user.pk),
        target_name=user.email,
        after={"ended": count},
    )
    return count


def user_sessions_expired(*, user: User | None = None) -> QuerySet[SignIn]:
    """Return rows of ended sessions, of one person or of all."""
    rows = SignIn.objects.all() if user is None else SignIn.objects.filter(user=user)
    return rows.exclude(session_key__in=_live().values("session_key"))


def user_sessions_purge(*, user: User | None = None) -> int:
    """Remove rows of ended sessions, of one person or of all, and return their number."""
    count, _ = user_sessions_expired(user=user).delete()
    return count


_BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS", "macOS"))


def browser_name(agent: str) -> str:
    """Return a User-Agent header in a form that people recognise: `Firefox on Linux`."""
    browser = next((name for mark, name in _BROWSERS if mark in agent), "")
    system = next((name for mark, name in (*_SYSTEMS, ("Linux", "Linux")) if mark in agent), "")
    return " on ".join(part for part in (browser, system) if part) or agent[:60] or "Unknown browser"
