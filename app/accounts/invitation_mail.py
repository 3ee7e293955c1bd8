"""Invitations by mail, on a box that sends mail; the inviter always sees the link."""

from uuid import UUID

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from app.accounts.key_hash import secret_derive, secret_hash
from app.accounts.models import Invitation
from app.jobs.services import job_create
from app.lib.mail import Mail, mail_is_set

INVITATION_MAIL = "invitation_mail"
TEXT = """\
{inviter} invites you to {organisation} on {url}: a reference desk that answers from the organisation's documents.

Join here until {until}. The link works once, for {email} only:

{link}

If you do not know what this is about, do nothing.
"""


def invitation_link(*, token: str) -> str:
    return settings.PUBLIC_URL + reverse("accept_invitation", kwargs={"token": token})


def invitation_mail(*, invitation: Invitation) -> bool:
    """Queue the mail with the link of a new invitation; return whether this box sends mail at all.

    The queue holds only the salt; this box derives the token with its secret key.
    """
    if not mail_is_set():
        return False
    job_create(
        kind=INVITATION_MAIL,
        organisation=invitation.organisation_id,
        subject=invitation.pk,
        payload={"salt": invitation.token_salt},
    )
    return True


def invitation_mail_write(*, invitation: UUID, salt: str) -> Mail | None:
    """Return the mail of an invitation that is still open, else None."""
    row = (
        Invitation.objects.select_related("organisation", "invited_by")
        .filter(pk=invitation, accepted=None, expires__gt=timezone.now())
        .first()
    )
    token = secret_derive(salt)
    # They differ if the box's secret key was changed meanwhile.
    if row is None or secret_hash(token) != row.token_hash:
        return None
    inviter = row.invited_by.get_full_name() if row.invited_by is not None else "Somebody"
    return Mail(
        to=row.email,
        subject=f"Invitation to {row.organisation.name}",
        text=TEXT.format(
            inviter=" ".join(inviter.split()),
            organisation=" ".join(row.organisation.name.split()),
            url=settings.PUBLIC_URL,
            until=f"{row.expires:%d %B %Y}",
            email=row.email,
            link=invitation_link(token=token),
        ),
    )
