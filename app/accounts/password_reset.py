"""Reset of a forgotten password: by a link in a mail, or one that an operator hands out.

The response and its time are the same for a known and an unknown address: a request only counts and queues the address;
a job later looks up whether there is an account (app/accounts/jobs/mail.py).
"""

import hashlib
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from app.accounts.audit_records import audit_record_person
from app.accounts.choices import TokenPurpose
from app.accounts.lockout import count_attempt, lockout_lift
from app.accounts.models import User
from app.accounts.one_time_tokens import token_find, token_make, token_take
from app.accounts.services import password_set
from app.errors import Conflict, RefdeskError
from app.jobs.services import job_create
from app.lib.mail import Mail, mail_is_set

RESET_MAIL = "password_reset_mail"
LIFETIME = timedelta(hours=1)
# After the response, so that work done only for known addresses cannot be measured.
DELAY = timedelta(seconds=1)
WINDOW_S = 3600
MAILS_AN_ACCOUNT = 3
MAILS_AN_ADDRESS = 20
TEXT = """\
Somebody, perhaps you, asked for a new password for {email} on {url}

Choose one here, within an hour. The link works once:

{link}

If it was not you, do nothing: your password stays as it is.
"""


def reset_request(*, email: str, address: str) -> None:
    """Send a link to `email` if there is an account of that address, without revealing whether there is.

    Raises:
        RefdeskError: too_many_requests, for an IP that makes too many requests, whatever the address.
    """
    if count_attempt(f"reset-address|{address}", WINDOW_S) > MAILS_AN_ADDRESS:
        raise RefdeskError("too_many_requests", retry_after_s=WINDOW_S)
    email = email.strip().lower()
    # No error here: a refusal that an attacker could cause would reveal that the account exists.
    email_hash = hashlib.sha256(email.encode("utf-8", "replace")).hexdigest()
    if (
        count_attempt(f"reset-account|{email_hash}", WINDOW_S) <= MAILS_AN_ACCOUNT
        and mail_is_set()
        and _can_be_stored(email)
    ):
        job_create(kind=RESET_MAIL, payload={"email": email}, delay=DELAY)


def _can_be_stored(email: str) -> bool:
    return "\0" not in email and email.encode("utf-8", "replace").decode() == email


def reset_mail_write(*, email: str) -> Mail | None:
    """Return the mail with a new link, None without an account of this address that has a password."""
    user = User.objects.filter(email=email, is_active=True).first()
    # A person who signs in only by OIDC has no password here, and gets none by a mail.
    if user is None or not user.has_usable_password():
        return None
    text = TEXT.format(email=user.email, url=settings.PUBLIC_URL, link=reset_link(user=user))
    return Mail(to=user.email, subject="Refdesk: choose a new password", text=text)


def reset_link(*, user: User) -> str:
    """Create a link that lets its holder set this person's password; earlier ones end."""
    token = token_make(purpose=TokenPurpose.PASSWORD_RESET, lifetime=LIFETIME, user=user)
    # The host comes from the setting, never from the request, where a caller could insert their own.
    return settings.PUBLIC_URL + reverse("reset_password", kwargs={"token": token})


@transaction.atomic
def reset_link_hand_out(*, user: User) -> str:
    """Make a reset link for an operator to hand out, with an audit entry. Raises Conflict for a deactivated account."""
    if not user.is_active:
        raise Conflict(message=f"The account {user.email} is deactivated; activate it first.")
    link = reset_link(user=user)
    audit_record_person(user=user, action="user.reset_link")
    return link


def reset_user(*, token: str) -> User | None:
    """Return the person of an open link."""
    row = token_find(purpose=TokenPurpose.PASSWORD_RESET, token=token)
    return row.user if row is not None and row.user is not None and row.user.is_active else None


@transaction.atomic
def reset_finish(*, token: str, password: str) -> User:
    """Use a link: set the new password, end every session of the person and lift a lock-out.

    Raises:
        RefdeskError: link_invalid.
        Invalid: the password cannot be used; the link stays open.
    """
    row = token_take(purpose=TokenPurpose.PASSWORD_RESET, token=token)
    if row.user is None or not row.user.is_active:
        raise RefdeskError("link_invalid")
    password_set(user=row.user, password=password)
    lockout_lift(email=row.user.email)
    return row.user
