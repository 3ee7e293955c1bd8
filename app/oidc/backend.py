"""mozilla-django-oidc's code flow with our own idea of what to believe.

As shipped it takes whoever has the right e-mail address, and reads neither issuer, audience, times nor
`email_verified`; each step of it that decides something is replaced here.
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
from app.oidc.provider_client import provider_ask
from app.oidc.tokens import id_token_check

CALLBACK = "oidc_callback"


def setting(name: str, *default: Any) -> Any:
    """The library's settings, which come from the deployment's three and the provider's discovery."""
    if name in ("OIDC_OP_AUTHORIZATION_ENDPOINT", "OIDC_OP_TOKEN_ENDPOINT", "OIDC_OP_USER_ENDPOINT"):
        provider = provider_get()
        return {
            "OIDC_OP_AUTHORIZATION_ENDPOINT": provider.authorization_endpoint,
            "OIDC_OP_TOKEN_ENDPOINT": provider.token_endpoint,
            "OIDC_OP_USER_ENDPOINT": provider.userinfo_endpoint,
        }[name]
    ours = {
        "OIDC_RP_CLIENT_ID": settings.OIDC_CLIENT_ID,
        "OIDC_RP_CLIENT_SECRET": settings.OIDC_CLIENT_SECRET,
        "OIDC_RP_SCOPES": "openid email profile",
        "OIDC_RP_SIGN_ALGO": "chosen by the token's key, see oidc_tokens",
        "OIDC_AUTHENTICATION_CALLBACK_URL": CALLBACK,
        "OIDC_USE_PKCE": True,
    }
    if name in ours:
        return ours[name]
    if default:
        return default[0]
    raise LookupError(name)


def callback_address() -> str:
    return f"{settings.PUBLIC_URL}{reverse(CALLBACK)}"


class ProviderBackend(OIDCAuthenticationBackend):  # type: ignore[misc]
    """Used by the callback alone; a session is then Django's own, so no request pays for this.

    linking: the signed-in person who asked to link the identity to their account.
    id_token: set once the login is checked.
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
        """The token endpoint's answer."""
        form = {**payload, "redirect_uri": callback_address()}
        secret = form.pop("client_secret")
        headers = {}
        if secret:
            if "client_secret_basic" in provider_get().token_endpoint_auth_methods:
                pair = f"{quote(form['client_id'], safe='')}:{quote(secret, safe='')}"
                headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
            else:
                form["client_secret"] = secret
        answer = provider_ask("POST", self.OIDC_OP_TOKEN_ENDPOINT, headers=headers, form=form)
        if answer.status != 200:
            raise RefdeskError("sign_in_failed", "The sign-in provider did not confirm this sign-in.")
        said = answer.json()
        if not isinstance(said.get("access_token"), str) or str(said.get("token_type")).lower() != "bearer":
            raise RefdeskError("sign_in_failed", "The sign-in provider gave no token.")
        # The check of the ID token needs both.
        self._access_token = said["access_token"]
        return said

    def verify_token(self, token: Any, **kwargs: Any) -> dict[str, Any]:
        return dict(id_token_check(token, nonce=kwargs.get("nonce") or "", access_token=self._access_token))

    def store_tokens(self, access_token: str, id_token: str) -> None:
        # The session of this moment is the visitor's, which ends with the login; nothing needs the access token.
        self.id_token = id_token

    def get_userinfo(self, access_token: str, id_token: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Everything said about the person; what the signed token says goes before."""
        if not self.OIDC_OP_USER_ENDPOINT:
            return payload
        answer = provider_ask("GET", self.OIDC_OP_USER_ENDPOINT, headers={"Authorization": f"Bearer {access_token}"})
        if answer.status != 200:
            raise RefdeskError("sign_in_failed", "The sign-in provider does not say who you are.")
        said = answer.json()
        if said.get("sub") != payload["sub"]:
            raise RefdeskError("sign_in_failed", "The sign-in provider says two different things about who you are.")
        # An address and whether it is verified are said together: never one from here and the other from there.
        verified = (payload if "email" in payload else said).get("email_verified")
        return {**said, **payload, "email_verified": verified}

    def get_or_create_user(self, access_token: str, id_token: str, payload: dict[str, Any]) -> User:
        self.claims = self.get_userinfo(access_token, id_token, payload)
        issuer, subject = settings.OIDC_ISSUER, payload["sub"]
        if self.linking is not None:
            identity_link(user=self.linking, issuer=issuer, subject=subject, claims=self.claims)
            return self.linking
        return identity_sign_in(issuer=issuer, subject=subject, claims=self.claims)

    def sign_in(self, request: HttpRequest, *, nonce: str, code_verifier: str) -> User:
        """Raises RefdeskError: sign_in_failed, sign_in_refused, provider_unavailable."""
        user = self.authenticate(request, nonce=nonce, code_verifier=code_verifier)
        if not isinstance(user, User):
            raise RefdeskError("sign_in_failed")
        return user
