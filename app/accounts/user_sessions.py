"""Where a person is signed in: a row for each session, so that it can be listed and ended."""

from uuid import UUID

from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from app.accounts.audit_records import audit_record_person
from app.accounts.models import SignIn, User
from app.errors import NotFound

AGENT_LENGTH = 300


def address_of(request: HttpRequest) -> str:
    """IP of the caller as the web server saw it. Forwarded headers are the server's to judge, not ours."""
    return str(request.META.get("REMOTE_ADDR", ""))


@transaction.atomic
def sign_in_record(*, request: HttpRequest, user: User, issuer: str = "", provider_session: str = "") -> SignIn:
    """Note the session that `login` has just made. `issuer` and `provider_session`: of the OIDC provider that vouched.

    Rows whose session is over go on this occasion.
    """
    sign_ins_clean(user=user)
    if request.session.session_key is None:
        request.session.save()
    made, new = SignIn.objects.update_or_create(
        session_key=str(request.session.session_key),
        defaults={
            "user": user,
            "issuer": issuer,
            "provider_session": provider_session,
            "address": address_of(request) or None,
            "agent": request.headers.get("User-Agent", "").replace("\0", "")[:AGENT_LENGTH],
        },
    )
    if new:
        audit_record_person(user=user, action="user.sign_in", after={"issuer": issuer} if issuer else None)
    return made


def sign_in_move(*, before: str | None, after: str | None) -> None:
    """The same session under a new key, which Django gives it when the password changes."""
    SignIn.objects.filter(session_key=before).update(session_key=after)


def _live() -> QuerySet[Session]:
    return Session.objects.filter(expire_date__gt=timezone.now())


def sign_in_list(*, user: UUID) -> QuerySet[SignIn]:
    """Sessions that are open, the newest first."""
    return SignIn.objects.filter(user=user, session_key__in=_live().values("session_key"))


@transaction.atomic
def sign_in_end(*, user: UUID, sign_in: UUID) -> str:
    """End one session of a person; gives its key. Raises NotFound."""
    row = SignIn.objects.filter(user=user, pk=sign_in).first()
    if row is None:
        raise NotFound
    _end(SignIn.objects.filter(pk=row.pk))
    audit_record_person(user=row.user, action="user.session_end", before={"since": row.created})
    return row.session_key


@transaction.atomic
def sign_ins_end(*, user: UUID, but: str | None = None) -> int:
    """End a person's sessions, but for the one with the key `but`; gives their number."""
    rows = SignIn.objects.filter(user=user)
    return _end(rows.exclude(session_key=but) if but else rows)


@transaction.atomic
def sign_ins_end_at_provider(*, issuer: str, provider_session: str = "", user: UUID | None = None) -> int:
    """End the sessions that an OIDC provider vouched for: those of one of its sessions, or all of a person's."""
    rows = SignIn.objects.filter(issuer=issuer)
    if provider_session:
        rows = rows.filter(provider_session=provider_session)
    elif user is None:
        return 0
    return _end(rows.filter(user=user) if user is not None else rows)


def _end(rows: QuerySet[SignIn]) -> int:
    keys = list(rows.values_list("session_key", flat=True))
    Session.objects.filter(session_key__in=keys).delete()
    SignIn.objects.filter(session_key__in=keys).delete()
    return len(keys)


def sign_ins_over(*, user: User | None = None) -> QuerySet[SignIn]:
    """Rows whose session is over, of one person or of all."""
    rows = SignIn.objects.all() if user is None else SignIn.objects.filter(user=user)
    return rows.exclude(session_key__in=_live().values("session_key"))


def sign_ins_clean(*, user: User | None = None) -> int:
    """Remove rows whose session is over, of one person or of all; gives their number."""
    gone, _ = sign_ins_over(user=user).delete()
    return gone


_BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS", "macOS"))


def agent_words(agent: str) -> str:
    """What a person recognises of a browser's own description: `Firefox on Linux`."""
    browser = next((name for mark, name in _BROWSERS if mark in agent), "")
    system = next((name for mark, name in (*_SYSTEMS, ("Linux", "Linux")) if mark in agent), "")
    return " on ".join(part for part in (browser, system) if part) or agent[:60] or "Unknown browser"
