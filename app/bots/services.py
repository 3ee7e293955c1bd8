from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import transaction
from pydantic import ValidationError

from app.accounts.models import Organisation, User
from app.bots.models import Bot, BotRevision
from app.bots.settings import BotSettings
from app.errors import Conflict, Invalid


def settings_check(settings: dict[str, Any]) -> BotSettings:
    """Raises Invalid with a line per field."""
    try:
        return BotSettings.model_validate(settings)
    except ValidationError as error:
        fields = [{"field": ".".join(map(str, one["loc"])), "message": one["msg"]} for one in error.errors()]
        raise Invalid(details={"fields": fields}) from error


@transaction.atomic
def bot_create(
    *,
    organisation: Organisation,
    slug: str,
    name: str,
    settings: dict[str, Any] | None = None,
    created_by: User | None = None,
) -> Bot:
    """A bot with its first revision, over all sources.

    Raises:
        Conflict: the slug is taken.
        Invalid: the slug or a setting cannot be used.
    """
    checked = settings_check(settings or {})
    bot = Bot(organisation=organisation, slug=slug, name=name)
    try:
        bot.clean_fields(exclude=["live_revision"])
    except DjangoValidationError as error:
        raise Invalid(message="; ".join(error.messages)) from error
    if Bot.objects.filter(organisation=organisation, slug=slug).exists():
        raise Conflict(message=f"There is a bot {slug!r} already.")
    bot.save()
    revision_publish(bot=bot, settings=checked, created_by=created_by)
    return bot


@transaction.atomic
def revision_publish(*, bot: Bot, settings: BotSettings, created_by: User | None = None) -> BotRevision:
    """Make a new immutable revision and put it live."""
    Bot.objects.select_for_update().get(pk=bot.pk)
    last = BotRevision.objects.filter(bot=bot).order_by("-number").first()
    revision = BotRevision.objects.create(
        organisation_id=bot.organisation_id,
        bot=bot,
        number=last.number + 1 if last else 1,
        settings=settings.model_dump(),
        created_by=created_by,
    )
    bot.live_revision = revision
    bot.save(update_fields=["live_revision", "updated"])
    return revision
