"""Local sign-in and sign-out, and the password that they ask for."""

import secrets

from django.contrib.auth import authenticate, login, logout, update_session_auth_hash
from django.db import transaction
from django.http import HttpRequest

from app.accounts.audit import audit_record_person
from app.accounts.audit_sign_ins import sign_in_refused
from app.accounts.lockout import WINDOW_S, attempt_allow, attempts_forget, lockout_lift
from app.accounts.models import SignIn, User
from app.accounts.services import LONGEST_PASSWORD, password_set
from app.accounts.sign_ins import address_of, sign_in_move, sign_in_record
from app.errors import RefdeskError


def sign_in(*, request: HttpRequest, email: str, password: str) -> User:
    """Sign a person in: a new session takes the place of the visitor's.

    The answer to an unknown address, a wrong password and a deactivated account is the same and takes as long.

    Raises:
        RefdeskError: bad_credentials, sign_in_locked.
    """
    email = email.strip().lower()
    if not attempt_allow(email=email, address=address_of(request)):
        sign_in_refused(email=email, address=address_of(request), locked=True)
        raise RefdeskError("sign_in_locked", retry_after_s=WINDOW_S)
    usable = "\0" not in email + password and len(password) <= LONGEST_PASSWORD
    user = authenticate(request, username=email, password=password) if usable else None
    if not isinstance(user, User):
        sign_in_refused(email=email, address=address_of(request), locked=False)
        raise RefdeskError("bad_credentials")
    attempts_forget(email=email, address=address_of(request))
    session_begin(request=request, user=user)
    return user


def session_begin(*, request: HttpRequest, user: User) -> None:
    """Sign in somebody who has shown who they are. The visitor's session ends: nobody can have planted this one."""
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    sign_in_record(request=request, user=user)


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
    if not attempt_allow(email=user.email, address=address_of(request)):
        raise RefdeskError("sign_in_locked", retry_after_s=WINDOW_S)
    if len(current) > LONGEST_PASSWORD or not user.check_password(current):
        raise RefdeskError("bad_credentials", "The current password is wrong.")
    attempts_forget(email=user.email, address=address_of(request))
    before = request.session.session_key
    password_set(user=user, password=new, but=before)
    update_session_auth_hash(request, user)
    sign_in_move(before=before, after=request.session.session_key)


def password_reset(*, user: User) -> str:
    """A new generated password, which is shown once; their sessions end and a lock-out is lifted."""
    password = secrets.token_urlsafe(15)
    password_set(user=user, password=password)
    lockout_lift(email=user.email)
    return password
