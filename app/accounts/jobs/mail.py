"""The base of jobs that send a mail: its text is composed when it is sent, and never stored."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from app.accounts.invitation_mail import INVITATION_MAIL, invitation_mail_write
from app.accounts.password_reset import RESET_MAIL, reset_mail_write
from app.jobs.active_job import ActiveJob
from app.jobs.choices import Lane
from app.jobs.kinds import JobKind, register
from app.lib.mail import Mail, MailFailed, mail_send


class MailJob(JobKind):
    """A kind of mail; derived classes define `write`. The payload is emptied however the job ends."""

    lane = Lane.INTERACTIVE
    at_once = 2
    steps = {"write": 0, "send": 50}
    secret = True

    def write(self, subject: str, payload: dict[str, Any]) -> Mail | None:
        """Return the mail; None when there is no recipient any more."""
        raise NotImplementedError

    def run(self, context: ActiveJob) -> None:
        context.progress("write")
        mail = self.write(context.lease.subject, context.payload)
        if mail is not None:
            context.check()
            context.progress("send")
            mail_send(mail)

    def waits_for(self, error: Exception) -> str | None:
        return "" if isinstance(error, MailFailed) and error.is_final else None


@register
class InvitationMail(MailJob):
    kind = INVITATION_MAIL
    title = "Mail an invitation"

    def write(self, subject: str, payload: dict[str, Any]) -> Mail | None:
        return invitation_mail_write(invitation=UUID(subject), salt=payload["salt"])


@register
class PasswordResetMail(MailJob):
    """Job that looks up whether the account exists, so that the response to a request cannot reveal it."""

    kind = RESET_MAIL
    title = "Mail a link for a new password"
    # After this time the person has requested another mail or remembered the password.
    wait_limit = timedelta(minutes=15)

    def write(self, subject: str, payload: dict[str, Any]) -> Mail | None:
        return reset_mail_write(email=payload["email"])
