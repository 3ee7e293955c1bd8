"""Sessions that the provider vouched for: begun with its login, ended by its logout, told of ours."""

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import login
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest
from django.urls import reverse

from app.accounts.models import Identity, SignIn, User
from app.accounts.oidc import ended_mark, oidc_configured
from app.errors import RefdeskError

# Without the library: requests of a session find the person by Django's own backend.
BACKEND = "django.contrib.auth.backends.ModelBackend"
ID_TOKEN = "oidc_id_token"  # noqa: S105  a name


def session_begin(*, request: HttpRequest, user: User, claims: dict[str, Any], id_token: str) -> None:
    """A session of its own for the person, which the provider can end by its `sid`."""
    login(request, user, backend=BACKEND)
    # What the visitor's session was limited to.
    request.session.set_expiry(None)
    request.session[ID_TOKEN] = id_token
    if request.session.session_key is None:
        request.session.save()
    sid = claims.get("sid")
    SignIn.objects.update_or_create(
        session_key=request.session.session_key,
        defaults={
            "user": user,
            "issuer": settings.OIDC_ISSUER,
            "provider_session": sid if isinstance(sid, str) and len(sid) <= 255 else "",
            "address": request.META.get("REMOTE_ADDR") or None,
            "agent": request.headers.get("User-Agent", "").replace("\0", "")[:300],
        },
    )


def sessions_end(*, issuer: str, subject: str, provider_session: str) -> int:
    """End what the provider says is over: one session of theirs, or all of a person's. How many there were."""
    rows = SignIn.objects.filter(issuer=issuer)
    if provider_session:
        rows = rows.filter(provider_session=provider_session)
    if subject:
        rows = rows.filter(user__in=Identity.objects.filter(issuer=issuer, subject=subject).values("user"))
    if not provider_session and not subject:
        return 0
    found = list(rows)
    for row in found:
        SessionStore(row.session_key).delete()
        row.delete()
    ended_mark(issuer=issuer, subject=subject, provider_session=provider_session)
    return len(found)


def sign_out_address(*, request: HttpRequest) -> str:
    """Where a browser goes to be signed out at the provider too; empty for a local session."""
    id_token = request.session.get(ID_TOKEN)
    if not oidc_configured() or not isinstance(id_token, str):
        return ""
    from app.accounts.oidc_discovery import provider_get  # loads what a box without OIDC has no use for

    try:
        address = provider_get().end_session_endpoint
    except RefdeskError:
        return ""
    query = {
        "id_token_hint": id_token,
        "client_id": settings.OIDC_CLIENT_ID,
        "post_logout_redirect_uri": f"{settings.PUBLIC_URL}{reverse('sign_in')}",
    }
    return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}" if address else ""
