from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from app.bots.models import Bot, BotRevision
from app.bots.settings import BotSettings
from app.errors import NotFound
from app.lib.times import time_text


def bot_list(*, organisation: UUID) -> QuerySet[Bot]:
    """Return the organisation's bots by name, each with its live revision."""
    return Bot.objects.filter(organisation=organisation).select_related("live_revision")


def bot_get(*, organisation: UUID, slug: str) -> Bot:
    """Return a bot by its slug. Raises NotFound."""
    bot = bot_list(organisation=organisation).filter(slug=slug).first()
    if bot is None:
        raise NotFound(message="There is no such bot.")
    return bot


def revision_list(*, organisation: UUID, bot: Bot) -> QuerySet[BotRevision]:
    return BotRevision.objects.filter(organisation=organisation, bot=bot).select_related("created_by")


def bot_payload(bot: Bot) -> dict[str, Any]:
    """Return the API's payload of a bot whose live revision is loaded: its name and its settings on one level."""
    revision = bot.live_revision
    settings = revision.parsed if revision else BotSettings.model_validate({})
    return {
        "id": str(bot.id),
        "slug": bot.slug,
        "name": bot.name,
        "paused": bot.paused is not None,
        "revision": revision.number if revision else 0,
        "sources": [str(pk) for pk in bot.sources.order_by("id").values_list("id", flat=True)],
        **settings.model_dump(),
    }


def revision_payload(revision: BotRevision) -> dict[str, Any]:
    return {
        "number": revision.number,
        "settings": revision.parsed.model_dump(),
        "created_by": revision.created_by.email if revision.created_by else None,
        "created": time_text(revision.created),
    }
