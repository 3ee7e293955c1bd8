"""Single sign-out: sessions of the provider's login, their end by its logout, and its sign-out page for ours."""

from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from app.accounts.authentication import session_begin
from app.accounts.models import User
from app.accounts.user_sessions import user_sessions_end_at_provider
from app.errors import RefdeskError
from app.oidc.claims import Claims, claim_text
from app.oidc.identities import identity_user
from app.oidc.token_revocation import oidc_configured, tokens_revoke

ID_TOKEN = "oidc_id_token"  # noqa: S105  a name


def provider_session_begin(*, request: HttpRequest, user: User, claims: Claims, id_token: str) -> None:
    """Begin a session for the person that the provider can end by its `sid`."""
    vouched = {"issuer": settings.OIDC_ISSUER, "provider_session": claim_text(claims, "sid")}
    session_begin(request=request, user=user, **vouched)
    # Lift the time limit of the visitor's session.
    request.session.set_expiry(None)
    request.session[ID_TOKEN] = id_token


def sessions_end(*, issuer: str, subject: str, provider_session: str) -> None:
    """End one session of the provider, or all of a person's, and their access tokens."""
    user = identity_user(issuer=issuer, subject=subject) if subject else None
    if user is not None or provider_session:
        user_sessions_end_at_provider(
            issuer=issuer, provider_session=provider_session, user=user.pk if user is not None else None
        )
    tokens_revoke(issuer=issuer, subject=subject, provider_session=provider_session)


def sign_out_address(*, request: HttpRequest) -> str:
    """Return the address that signs a browser out at the provider too; empty for a local session."""
    id_token = request.session.get(ID_TOKEN)
    if not oidc_configured() or not isinstance(id_token, str):
        return ""
    from app.oidc.discovery import provider_get  # a box without OIDC does not load it

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
