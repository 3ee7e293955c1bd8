"""Sign-in at the provider: the redirect there, the callback, and the provider's back-channel logout."""

import time
from typing import Any
from urllib.parse import urlsplit

import orjson
from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from mozilla_django_oidc.views import OIDCAuthenticationCallbackView, OIDCAuthenticationRequestView
from redis.exceptions import RedisError

from app.accounts.key_hash import secret_hash
from app.accounts.models import User
from app.errors import RefdeskError
from app.oidc.backend import ProviderBackend, callback_address, setting
from app.oidc.discovery import provider_get
from app.oidc.single_sign_out import provider_session_begin, sessions_end
from app.oidc.tokens import logout_token_check

# The longest time for a person at the provider; the visitor's session lasts no longer.
LOGIN_S = 15 * 60
LONGEST_CODE = 4096


class RequestView(OIDCAuthenticationRequestView):  # type: ignore[misc]
    """The redirect to the provider, with a state, a nonce and a PKCE challenge that only the session knows."""

    linking = False

    @staticmethod
    def get_settings(attr: str, *args: Any) -> Any:
        return setting(attr, *args)

    def get_extra_params(self, request: HttpRequest) -> dict[str, str]:
        # The public address, whichever host the request used.
        params = {"redirect_uri": callback_address()}
        # A refused person is still signed in at the provider, which would send them back at once.
        return {**params, "prompt": "login"} if request.GET.get("as") == "another" else params

    def get(self, request: HttpRequest) -> HttpResponse:
        response: HttpResponse = super().get(request)
        logins: dict[str, Any] = request.session["oidc_states"]
        newest = next(reversed(logins))
        logins[newest]["next"] = _next_page(request)
        if self.linking:
            logins[newest]["linking"] = str(request.user.pk)
        if not request.user.is_authenticated:
            request.session.set_expiry(LOGIN_S)
        request.session.modified = True
        return response


class CallbackView(OIDCAuthenticationCallbackView):  # type: ignore[misc]
    """The callback: accepts each response of the provider once and begins the person's session."""

    def get(self, request: HttpRequest) -> HttpResponse:
        login = _login_take(request)
        _check_callback(request)
        linking = _linking_user(request, login)
        backend = ProviderBackend(linking=linking)
        user = backend.sign_in(request, nonce=login["nonce"], code_verifier=login["code_verifier"])
        if linking is not None:
            return redirect("account")
        provider_session_begin(request=request, user=user, claims=backend.claims, id_token=backend.id_token)
        return redirect(login.get("next") or "portal")


def login_begin(request: HttpRequest, *, linking: bool = False) -> HttpResponse:
    public = urlsplit(settings.PUBLIC_URL)
    if not linking and request.get_host() != public.netloc:
        # The callback is at the public address, where the cookie of this host is missing.
        return redirect(settings.PUBLIC_URL + request.get_full_path())
    view = RequestView(linking=linking)
    view.setup(request)
    return view.get(request)


def login_finish(request: HttpRequest) -> HttpResponse:
    response: HttpResponse = CallbackView.as_view()(request)
    return response


def logout_take(request: HttpRequest) -> HttpResponse:
    """Handle the provider's back-channel logout; the responses follow its specification."""
    try:
        subject, provider_session = logout_token_check(request.POST.get("logout_token", ""))
    except RefdeskError as error:
        payload = {"error": "invalid_request", "error_description": error.message}
        response = HttpResponse(orjson.dumps(payload), content_type="application/json", status=400)
    else:
        sessions_end(issuer=settings.OIDC_ISSUER, subject=subject, provider_session=provider_session)
        response = HttpResponse(status=200)
    response["Cache-Control"] = "no-store"
    return response


def _login_take(request: HttpRequest) -> dict[str, Any]:
    """Take the login of a callback from the session, once.

    Raises:
        RefdeskError: sign_in_failed.
    """
    state = request.GET.get("state", "")
    logins = request.session.get("oidc_states")
    login = logins.pop(state, None) if isinstance(logins, dict) else None
    if login is None:
        raise RefdeskError(
            "sign_in_failed", "This sign-in was not begun in this browser, is finished already, or took too long."
        )
    # Saved before the request to the provider, which takes time.
    request.session.modified = True
    request.session.save()
    if login["added_on"] < time.time() - LOGIN_S or not _is_first_use(state):
        raise RefdeskError("sign_in_failed", "This sign-in took too long, or is finished already.")
    return dict(login)


def _linking_user(request: HttpRequest, login: dict[str, Any]) -> User | None:
    if "linking" not in login:
        return None
    if not isinstance(request.user, User) or str(request.user.pk) != login["linking"]:
        raise RefdeskError("sign_in_failed", "You signed out in between.")
    return request.user


def _is_first_use(state: str) -> bool:
    """Return whether the state is unused: two requests at the same moment both find it in the session."""
    try:
        return bool(cache.add(f"oidc-state:{secret_hash(state)}", 1, timeout=LOGIN_S))
    except (RedisError, OSError):
        return True  # the provider accepts its code only once too


def _check_callback(request: HttpRequest) -> None:
    """Raise RefdeskError sign_in_failed for an error of the provider, or a response of another provider."""
    issuer = request.GET.get("iss")
    provider = provider_get()
    if issuer != provider.issuer and (issuer is not None or provider.returns_issuer):
        raise RefdeskError("sign_in_failed", "This answer comes from another sign-in provider.")
    if "error" in request.GET:
        is_cancelled = request.GET["error"] == "access_denied"
        raise RefdeskError(
            "sign_in_failed",
            "The sign-in was cancelled." if is_cancelled else "The sign-in provider refused this sign-in.",
        )
    code = request.GET.get("code", "")
    if not code or len(code) > LONGEST_CODE or "\0" in code:
        raise RefdeskError("sign_in_failed", "The sign-in provider sent no answer.")


def _next_page(request: HttpRequest) -> str:
    """Return the address to open after signing in: only pages of this box."""
    address = request.GET.get("next", "")
    is_local = url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure())
    return address if is_local and address.startswith("/") else ""
