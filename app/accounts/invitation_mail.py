"""Invitations by mail, on a box that sends any; the inviter sees the link in any case."""

from django.conf import settings
from django.urls import reverse

from app.accounts.models import Invitation
from app.lib.mail import Mail, mail_is_set
from app.lib.outbox import outbox

TEXT = """\
{inviter} invites you to {organisation} on {url}: a reference desk that answers from the organisation's documents.

Join here until {until}. The link works once, for {email} only:

{link}

If you do not know what this is about, do nothing.
"""


def invitation_link(*, token: str) -> str:
    return settings.PUBLIC_URL + reverse("accept_invitation", kwargs={"token": token})


def invitation_mail(*, invitation: Invitation, token: str) -> bool:
    """Send the link to the invited person and return whether this box sends mail at all."""
    if not mail_is_set():
        return False
    inviter = invitation.invited_by.get_full_name() if invitation.invited_by is not None else "Somebody"
    mail = Mail(
        to=invitation.email,
        subject=f"Invitation to {invitation.organisation.name}",
        text=TEXT.format(
            inviter=" ".join(inviter.split()),
            organisation=" ".join(invitation.organisation.name.split()),
            url=settings.PUBLIC_URL,
            until=f"{invitation.expires:%d %B %Y}",
            email=invitation.email,
            link=invitation_link(token=token),
        ),
    )
    outbox.put(lambda: mail)
    return True
