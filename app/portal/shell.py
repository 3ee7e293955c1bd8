"""The portal's shell around every page: the bots, the caller's history, the caller and their organisation."""

from typing import Any
from uuid import UUID

from app.accounts.auth import Caller
from app.accounts.choices import Role
from app.accounts.models import Organisation
from app.accounts.selectors import organisation_choices
from app.bots.selectors import bot_list
from app.chat.selectors import conversation_list
from app.library.selectors.limits import libraries_low, library_notice
from app.plans.selectors import usage_notice

HISTORY_SHOWN = 60


def shell_context(
    caller: Caller, *, section: str, bot_slug: str = "", conversation_id: UUID | None = None
) -> dict[str, Any]:
    """Return the context of `shell.html`."""
    organisation = caller.organisation_id
    is_admin = caller.role.covers(Role.ADMIN)
    return {
        "section": section,
        "organisations": organisation_choices(user=caller.user_id) if caller.user_id else [],
        "organisation": Organisation.objects.get(pk=organisation),
        "bots": list(bot_list(organisation=organisation)),
        "bot_slug": bot_slug,
        "conversations": list(conversation_list(organisation=organisation, user=caller.user_id)[:HISTORY_SHOWN]),
        "conversation_id": conversation_id,
        "can_edit": caller.role.covers(Role.EDITOR),
        "can_administer": is_admin,
        # Only for admins, who can act on it.
        "usage_notice": _notice(organisation) if is_admin else "",
    }


def _notice(organisation: UUID) -> str:
    """Return the notices for admins about the month's caps and the library's limits."""
    low = libraries_low(organisations=[organisation])
    notices = [usage_notice(organisation=organisation), *(library_notice(row) for row in low)]
    return " ".join(filter(None, notices))
