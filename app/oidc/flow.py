"""Signing in at the provider: the way there, the way back, and the provider's own word that a session is over."""

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

# How long a person may take at the provider; the visitor's session lasts no longer either.
LOGIN_S = 15 * 60
LONGEST_ANSWER = 4096


class RequestView(OIDCAuthenticationRequestView):  # type: ignore[misc]
    """Sends the browser to the provider with a state, a nonce and a PKCE challenge that only its session knows."""

    linking = False

    @staticmethod
    def get_settings(attr: str, *args: Any) -> Any:
        return setting(attr, *args)

    def get_extra_params(self, request: HttpRequest) -> dict[str, str]:
        # Of the public address, whatever host the request came by.
        params = {"redirect_uri": callback_address()}
        # Who was refused is still signed in at the provider, which would send them back at once.
        return {**params, "prompt": "login"} if request.GET.get("as") == "another" else params

    def get(self, request: HttpRequest) -> HttpResponse:
        answer: HttpResponse = super().get(request)
        begun: dict[str, Any] = request.session["oidc_states"]
        newest = next(reversed(begun))
        begun[newest]["next"] = _own_page(request)
        if self.linking:
            begun[newest]["linking"] = str(request.user.pk)
        if not request.user.is_authenticated:
            request.session.set_expiry(LOGIN_S)
        request.session.modified = True
        return answer


class CallbackView(OIDCAuthenticationCallbackView):  # type: ignore[misc]
    """Takes the provider's answer once and begins the person's session."""

    def get(self, request: HttpRequest) -> HttpResponse:
        login = _login_take(request)
        _check_answer(request)
        linking = _who_links(request, login)
        backend = ProviderBackend(linking=linking)
        user = backend.sign_in(request, nonce=login["nonce"], code_verifier=login["code_verifier"])
        if linking is not None:
            return redirect("account")
        provider_session_begin(request=request, user=user, claims=backend.claims, id_token=backend.id_token)
        return redirect(login.get("next") or "portal")


def login_begin(request: HttpRequest, *, linking: bool = False) -> HttpResponse:
    public = urlsplit(settings.PUBLIC_URL)
    if not linking and request.get_host() != public.netloc:
        # The way back leads to the public address, where this host's cookie would be missing.
        return redirect(settings.PUBLIC_URL + request.get_full_path())
    view = RequestView(linking=linking)
    view.setup(request)
    return view.get(request)


def login_finish(request: HttpRequest) -> HttpResponse:
    answer: HttpResponse = CallbackView.as_view()(request)
    return answer


def logout_take(request: HttpRequest) -> HttpResponse:
    """The provider's back-channel logout; its answers are the specification's."""
    try:
        subject, provider_session = logout_token_check(request.POST.get("logout_token", ""))
    except RefdeskError as error:
        words = {"error": "invalid_request", "error_description": error.message}
        answer = HttpResponse(orjson.dumps(words), content_type="application/json", status=400)
    else:
        sessions_end(issuer=settings.OIDC_ISSUER, subject=subject, provider_session=provider_session)
        answer = HttpResponse(status=200)
    answer["Cache-Control"] = "no-store"
    return answer


def _login_take(request: HttpRequest) -> dict[str, Any]:
    """What the session knows of the login that this answer belongs to; it is known once.

    Raises:
        RefdeskError: sign_in_failed.
    """
    state = request.GET.get("state", "")
    begun = request.session.get("oidc_states")
    login = begun.pop(state, None) if isinstance(begun, dict) else None
    if login is None:
        raise RefdeskError(
            "sign_in_failed", "This sign-in was not begun in this browser, is finished already, or took too long."
        )
    # Kept before the provider is asked, which takes time.
    request.session.modified = True
    request.session.save()
    if login["added_on"] < time.time() - LOGIN_S or not _first(state):
        raise RefdeskError("sign_in_failed", "This sign-in took too long, or is finished already.")
    return dict(login)


def _who_links(request: HttpRequest, login: dict[str, Any]) -> User | None:
    if "linking" not in login:
        return None
    if not isinstance(request.user, User) or str(request.user.pk) != login["linking"]:
        raise RefdeskError("sign_in_failed", "You signed out in between.")
    return request.user


def _first(state: str) -> bool:
    """Whether nobody took this state before: two requests at the same moment both find it in the session."""
    try:
        return bool(cache.add(f"oidc-state:{secret_hash(state)}", 1, timeout=LOGIN_S))
    except (RedisError, OSError):
        return True  # the provider takes its code only once too


def _check_answer(request: HttpRequest) -> None:
    """Raises RefdeskError sign_in_failed for an error of the provider, or an answer of another one."""
    issuer = request.GET.get("iss")
    provider = provider_get()
    if issuer != provider.issuer and (issuer is not None or provider.says_issuer_in_answer):
        raise RefdeskError("sign_in_failed", "This answer comes from another sign-in provider.")
    if "error" in request.GET:
        refused = request.GET["error"] == "access_denied"
        raise RefdeskError(
            "sign_in_failed",
            "The sign-in was cancelled." if refused else "The sign-in provider refused this sign-in.",
        )
    code = request.GET.get("code", "")
    if not code or len(code) > LONGEST_ANSWER or "\0" in code:
        raise RefdeskError("sign_in_failed", "The sign-in provider sent no answer.")


def _own_page(request: HttpRequest) -> str:
    """Where to go after signing in: only to our own pages."""
    wanted = request.GET.get("next", "")
    own = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if own and wanted.startswith("/") else ""
