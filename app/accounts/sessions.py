"""Local sign-in and sign-out, and the password that they ask for."""

import secrets

from django.contrib.auth import authenticate, login, logout, update_session_auth_hash
from django.http import HttpRequest

from app.accounts.lockout import WINDOW_S, attempt_allow, attempts_forget, lockout_lift
from app.accounts.models import User
from app.accounts.services import LONGEST_PASSWORD, password_set
from app.errors import RefdeskError


def address_of(request: HttpRequest) -> str:
    """IP of the caller as the web server saw it. Forwarded headers are the server's to judge, not ours."""
    return str(request.META.get("REMOTE_ADDR", ""))


def sign_in(*, request: HttpRequest, email: str, password: str) -> User:
    """Sign a person in: a new session takes the place of the visitor's.

    The answer to an unknown address, a wrong password and a deactivated account is the same and takes as long.

    Raises:
        RefdeskError: bad_credentials, sign_in_locked.
    """
    email = email.strip().lower()
    if not attempt_allow(email=email, address=address_of(request)):
        raise RefdeskError("sign_in_locked", retry_after_s=WINDOW_S)
    usable = "\0" not in email + password and len(password) <= LONGEST_PASSWORD
    user = authenticate(request, username=email, password=password) if usable else None
    if not isinstance(user, User):
        raise RefdeskError("bad_credentials")
    attempts_forget(email=email, address=address_of(request))
    login(request, user)
    return user


def sign_out(*, request: HttpRequest) -> None:
    """End the session on the server, not only in the browser."""
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
    if not attempt_allow(email=user.email, address=address_of(request)):
        raise RefdeskError("sign_in_locked", retry_after_s=WINDOW_S)
    if len(current) > LONGEST_PASSWORD or not user.check_password(current):
        raise RefdeskError("bad_credentials", "The current password is wrong.")
    attempts_forget(email=user.email, address=address_of(request))
    password_set(user=user, password=new)
    update_session_auth_hash(request, user)


def password_reset(*, user: User) -> str:
    """A new generated password, which is shown once; their sessions end and a lock-out is lifted."""
    password = secrets.token_urlsafe(15)
    password_set(user=user, password=password)
    lockout_lift(email=user.email)
    return password
