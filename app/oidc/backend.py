"""mozilla-django-oidc's code flow with stricter checks.

As shipped it accepts anybody with the right e-mail address, and checks neither issuer, audience, times nor
`email_verified`; this module replaces each step that makes a decision.
"""

from base64 import b64encode
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from mozilla_django_oidc.auth import OIDCAuthenticationBackend

from app.accounts.models import User
from app.errors import RefdeskError
from app.oidc.discovery import provider_get
from app.oidc.identities import identity_link, identity_sign_in
from app.oidc.provider_client import provider_request
from app.oidc.tokens import id_token_check

CALLBACK = "oidc_callback"


def setting(name: str, *default: Any) -> Any:
    """Return a setting of the library, from the deployment's three settings and the provider's discovery."""
    if name in ("OIDC_OP_AUTHORIZATION_ENDPOINT", "OIDC_OP_TOKEN_ENDPOINT", "OIDC_OP_USER_ENDPOINT"):
        provider = provider_get()
        return {
            "OIDC_OP_AUTHORIZATION_ENDPOINT": provider.authorization_endpoint,
            "OIDC_OP_TOKEN_ENDPOINT": provider.token_endpoint,
            "OIDC_OP_USER_ENDPOINT": provider.userinfo_endpoint,
        }[name]
    values = {
        "OIDC_RP_CLIENT_ID": settings.OIDC_CLIENT_ID,
        "OIDC_RP_CLIENT_SECRET": settings.OIDC_CLIENT_SECRET,
        "OIDC_RP_SCOPES": "openid email profile",
        "OIDC_RP_SIGN_ALGO": "chosen by the token's key, see oidc_tokens",
        "OIDC_AUTHENTICATION_CALLBACK_URL": CALLBACK,
        "OIDC_USE_PKCE": True,
    }
    if name in values:
        return values[name]
    if default:
        return default[0]
    raise LookupError(name)


def callback_address() -> str:
    return f"{settings.PUBLIC_URL}{reverse(CALLBACK)}"


class ProviderBackend(OIDCAuthenticationBackend):  # type: ignore[misc]
    """The backend of the callback alone; a session is then Django's own, so requests do not load this backend.

    linking: the signed-in person who asked to link the identity to their account.
    id_token: set after the login is checked.
    """

    def __init__(self, *, linking: User | None = None) -> None:
        super().__init__()
        self.linking = linking
        self.id_token = ""
        self.claims: dict[str, Any] = {}

    @staticmethod
    def get_settings(attr: str, *args: Any) -> Any:
        return setting(attr, *args)

    def get_token(self, payload: dict[str, str]) -> dict[str, Any]:
        """Return the token endpoint's response."""
        form = {**payload, "redirect_uri": callback_address()}
        secret = form.pop("client_secret")
        headers = {}
        if secret:
            if "client_secret_basic" in provider_get().token_endpoint_auth_methods:
                pair = f"{quote(form['client_id'], safe='')}:{quote(secret, safe='')}"
                headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
            else:
                form["client_secret"] = secret
        response = provider_request("POST", self.OIDC_OP_TOKEN_ENDPOINT, headers=headers, form=form)
        if response.status != 200:
            raise RefdeskError("sign_in_failed", "The sign-in provider did not confirm this sign-in.")
        tokens = response.json()
        if not isinstance(tokens.get("access_token"), str) or str(tokens.get("token_type")).lower() != "bearer":
            raise RefdeskError("sign_in_failed", "The sign-in provider gave no token.")
        # The check of the ID token needs both.
        self._access_token = tokens["access_token"]
        return tokens

    def verify_token(self, token: Any, **kwargs: Any) -> dict[str, Any]:
        return dict(id_token_check(token, nonce=kwargs.get("nonce") or "", access_token=self._access_token))

    def store_tokens(self, access_token: str, id_token: str) -> None:
        # The present session ends with the login, so the ID token is kept here; nothing needs the access token.
        self.id_token = id_token

    def get_userinfo(self, access_token: str, id_token: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Return all claims about the person; those of the signed token come before those of the userinfo endpoint."""
        if not self.OIDC_OP_USER_ENDPOINT:
            return payload
        response = provider_request(
            "GET", self.OIDC_OP_USER_ENDPOINT, headers={"Authorization": f"Bearer {access_token}"}
        )
        if response.status != 200:
            raise RefdeskError("sign_in_failed", "The sign-in provider does not say who you are.")
        userinfo = response.json()
        if userinfo.get("sub") != payload["sub"]:
            raise RefdeskError("sign_in_failed", "The sign-in provider says two different things about who you are.")
        # An address and its verification must come from the same source.
        verified = (payload if "email" in payload else userinfo).get("email_verified")
        return {**userinfo, **payload, "email_verified": verified}

    def get_or_create_user(self, access_token: str, id_token: str, payload: dict[str, Any]) -> User:
        self.claims = self.get_userinfo(access_token, id_token, payload)
        issuer, subject = settings.OIDC_ISSUER, payload["sub"]
        if self.linking is not None:
            identity_link(user=self.linking, issuer=issuer, subject=subject, claims=self.claims)
            return self.linking
        return identity_sign_in(issuer=issuer, subject=subject, claims=self.claims)

    def sign_in(self, request: HttpRequest, *, nonce: str, code_verifier: str) -> User:
        """Sign the person in. Raises RefdeskError: sign_in_failed, sign_in_refused, provider_unavailable."""
        user = self.authenticate(request, nonce=nonce, code_verifier=code_verifier)
        if not isinstance(user, User):
            raise RefdeskError("sign_in_failed")
        return user
