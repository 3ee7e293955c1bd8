"""A new password for who has forgotten theirs: a link, by mail or from an operator's hand.

What is answered, and how long it takes, is the same for an address that is known and one that is not: a request only
counts and hands the address on; whether there is an account is looked up later, elsewhere (app/lib/outbox.py).
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
from app.lib.mail import Mail
from app.lib.outbox import outbox

LIFETIME = timedelta(hours=1)
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
    """Send a link to `email` if there is an account of that address. Tells nobody whether there is.

    Raises:
        RefdeskError: too_many_requests, for an IP that asks too often, whatever it asks for.
    """
    if count_attempt(f"reset-address|{address}", WINDOW_S) > MAILS_AN_ADDRESS:
        raise RefdeskError("too_many_requests", retry_after_s=WINDOW_S)
    email = email.strip().lower()
    # Silently: a refusal that an attacker could cause would look like an answer about the account.
    named = hashlib.sha256(email.encode("utf-8", "replace")).hexdigest()
    if count_attempt(f"reset-account|{named}", WINDOW_S) <= MAILS_AN_ACCOUNT:
        outbox.put(lambda: _mail(email))


def _mail(email: str) -> Mail | None:
    if "\0" in email:
        return None
    user = User.objects.filter(email=email, is_active=True).first()
    # Who signs in by OIDC only has no password here, and gets none by a mail.
    if user is None or not user.has_usable_password():
        return None
    text = TEXT.format(email=user.email, url=settings.PUBLIC_URL, link=reset_link(user=user))
    return Mail(to=user.email, subject="Refdesk: choose a new password", text=text)


def reset_link(*, user: User) -> str:
    """A link with which its holder chooses this person's password; earlier ones end."""
    token = token_make(purpose=TokenPurpose.PASSWORD_RESET, lifetime=LIFETIME, user=user)
    # From the setting, never from the request: whoever asks could name their own host in it.
    return settings.PUBLIC_URL + reverse("reset_password", kwargs={"token": token})


@transaction.atomic
def reset_link_hand_out(*, user: User) -> str:
    """The same from an operator's hand, which the audit trail tells of. Raises Conflict for a deactivated account."""
    if not user.is_active:
        raise Conflict(message=f"The account {user.email} is deactivated; activate it first.")
    link = reset_link(user=user)
    audit_record_person(user=user, action="user.reset_link")
    return link


def reset_user(*, token: str) -> User | None:
    """Whose password an open link changes."""
    row = token_find(purpose=TokenPurpose.PASSWORD_RESET, token=token)
    return row.user if row is not None and row.user is not None and row.user.is_active else None


@transaction.atomic
def reset_finish(*, token: str, password: str) -> User:
    """Use a link: the new password counts, every session of the person ends, a lock of their sign-in is lifted.

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
