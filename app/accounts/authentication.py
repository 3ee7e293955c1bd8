"""Local sign-in and sign-out, and changes of the password."""

import secrets

from django.conf import settings
from django.contrib.auth import authenticate, login, logout, update_session_auth_hash
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from app.accounts.audit_records import audit_record_person
from app.accounts.lockout import DEVICE_AGE_S, attempt_wait, attempts_forget, device_mark, device_read, lockout_lift
from app.accounts.models import SignIn, User
from app.accounts.refused_sign_ins import sign_in_refused
from app.accounts.services import LONGEST_PASSWORD, password_set
from app.accounts.user_sessions import client_address, user_session_record, user_session_rekey, user_sessions_end
from app.errors import RefdeskError


def sign_in(*, request: HttpRequest, email: str, password: str) -> User:
    """Sign a person in, in a new session that replaces the visitor's.

    The response to an unknown address, a wrong password and a deactivated account is the same and takes as long.

    Raises:
        RefdeskError: bad_credentials, sign_in_locked.
    """
    email = email.strip().lower()
    device = device_read(mark=request.COOKIES.get(settings.DEVICE_COOKIE_NAME, ""), email=email)
    try:
        _attempt(request, email, device)
    except RefdeskError:
        sign_in_refused(email=email, address=client_address(request), locked=True)
        raise
    usable = "\0" not in email + password and len(password) <= LONGEST_PASSWORD
    user = authenticate(request, username=email, password=password) if usable else None
    if not isinstance(user, User):
        sign_in_refused(email=email, address=client_address(request), locked=False)
        raise RefdeskError("bad_credentials")
    attempts_forget(email=email, address=client_address(request), device=device)
    session_begin(request=request, user=user)
    return user


def _attempt(request: HttpRequest, email: str, device: str) -> None:
    """Count an attempt before the password is checked. Raises sign_in_locked."""
    wait_s = attempt_wait(email=email, address=client_address(request), device=device)
    if wait_s:
        unit = "seconds" if wait_s < 60 else "minutes"
        message = f"Too many wrong passwords. Try again in {wait_s if wait_s < 60 else wait_s // 60} {unit}."
        raise RefdeskError("sign_in_locked", message, retry_after_s=wait_s)


def device_remember(*, response: HttpResponse, user: User) -> None:
    """Mark the browser as one of the person's, so that attempts from other places do not slow the person down here."""
    response.set_cookie(
        settings.DEVICE_COOKIE_NAME,
        device_mark(email=user.email),
        max_age=DEVICE_AGE_S,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def session_begin(*, request: HttpRequest, user: User, issuer: str = "", provider_session: str = "") -> None:
    """Sign in an authenticated person. The visitor's session is replaced, which prevents session fixation.

    `issuer` and `provider_session` belong to the OIDC provider that authenticated the person.
    """
    # Also after a provider's login: later requests then do not need the OIDC library.
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    user_session_record(request=request, user=user, issuer=issuer, provider_session=provider_session)


def sign_out_everywhere(*, request: HttpRequest) -> int:
    """End every session of the signed-in person, including this one, and return their number."""
    user = request.user
    if not isinstance(user, User):
        raise RefdeskError("not_signed_in")
    with transaction.atomic():
        count = user_sessions_end(user=user.pk)
        audit_record_person(user=user, action="user.sessions_end")
    logout(request)
    return count


def sign_out(*, request: HttpRequest) -> None:
    """End the session on the server, not only in the browser."""
    user = request.user
    with transaction.atomic():
        SignIn.objects.filter(session_key=request.session.session_key).delete()
        if isinstance(user, User):
            audit_record_person(user=user, action="user.sign_out")
    logout(request)


def password_change(*, request: HttpRequest, current: str, new: str) -> None:
    """Change the signed-in person's password; their other sessions end.

    Raises:
        RefdeskError: bad_credentials when `current` is wrong, sign_in_locked after too many wrong ones.
        Invalid: the new password cannot be used.
    """
    user = request.user
    if not isinstance(user, User):
        raise RefdeskError("not_signed_in")
    # Counted by session, so that strangers' attempts on the account do not lock this person out.
    device = f"session {request.session.session_key}"
    _attempt(request, user.email, device)
    if len(current) > LONGEST_PASSWORD or not user.check_password(current):
        sign_in_refused(email=user.email, address=client_address(request), locked=False)
        raise RefdeskError("bad_credentials", "The current password is wrong.")
    attempts_forget(email=user.email, address=client_address(request), device=device)
    before = request.session.session_key
    password_set(user=user, password=new, but=before)
    update_session_auth_hash(request, user)
    user_session_rekey(before=before, after=request.session.session_key)


def password_reset(*, user: User) -> str:
    """Set a new generated password for a person, end their sessions and lift a lock-out; return the password."""
    password = secrets.token_urlsafe(15)
    password_set(user=user, password=password)
    lockout_lift(email=user.email)
    return password
