from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import transaction
from django.utils import timezone
from pydantic import ValidationError

from app.accounts.models import Organisation, User
from app.audit.trail import audit_record
from app.bots.models import Bot, BotRevision, BotSource
from app.bots.settings import BotSettings
from app.errors import Conflict, Invalid, NotFound
from app.library.models import Source


def settings_check(settings: dict[str, Any]) -> BotSettings:
    """Validate settings. Raises Invalid with a line per field."""
    try:
        return BotSettings.model_validate(settings)
    except ValidationError as error:
        fields = [{"field": ".".join(map(str, entry["loc"])), "message": entry["msg"]} for entry in error.errors()]
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
    """Create a bot with its first revision, over all sources.

    Raises:
        Conflict: the slug is taken.
        Invalid: the slug or a setting cannot be used.
    """
    validated = settings_check(settings or {})
    bot = Bot(organisation=organisation, slug=slug, name=name)
    try:
        bot.clean_fields(exclude=["live_revision"])
    except DjangoValidationError as error:
        raise Invalid(message="; ".join(error.messages)) from error
    if Bot.objects.filter(organisation=organisation, slug=slug).exists():
        raise Conflict(message=f"There is a bot {slug!r} already.")
    bot.save()
    revision_publish(bot=bot, settings=validated, created_by=created_by)
    _audit(bot, "bot.create", after={"slug": slug, "name": name, **validated.model_dump()})
    return bot


def _audit(bot: Bot, action: str, **sides: Any) -> None:
    audit_record(
        organisation=bot.organisation_id,
        action=action,
        target_kind="bot",
        target=str(bot.pk),
        target_name=bot.name,
        **sides,
    )


@transaction.atomic
def revision_publish(*, bot: Bot, settings: BotSettings, created_by: User | None = None) -> BotRevision:
    """Create a new immutable revision and make it live."""
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


@transaction.atomic
def bot_update(
    *,
    organisation: UUID,
    bot: Bot,
    name: str | None = None,
    settings: dict[str, Any] | None = None,
    sources: list[UUID] | None = None,
    updated_by: User | None = None,
) -> Bot:
    """Change the given values. Changed settings are a new revision; an empty list of sources means all of them.

    Raises:
        Invalid: a setting cannot be used.
        NotFound: a source is not the organisation's.
    """
    before = _state(bot)
    if name is not None:
        bot.name = name
        bot.save(update_fields=["name", "updated"])
    if sources is not None:
        _sources_set(organisation=organisation, bot=bot, sources=sources)
    if settings:
        current = bot.live_revision.settings if bot.live_revision else {}
        validated = settings_check({**current, **settings})
        if validated.model_dump() != current:
            revision_publish(bot=bot, settings=validated, created_by=updated_by)
    after = _state(bot)
    if before != after:
        _audit(bot, "bot.update", before=before, after=after)
    return bot


def _state(bot: Bot) -> dict[str, Any]:
    """Return a bot's stored values that an admin can change."""
    stored = Bot.objects.select_related("live_revision").get(pk=bot.pk)
    revision = stored.live_revision
    sources = BotSource.objects.filter(bot=bot).order_by("source__name").values_list("source__name", flat=True)
    settings = {} if revision is None else {**revision.settings, "revision": revision.number}
    return {**settings, "name": stored.name, "sources": list(sources)}


def _sources_set(*, organisation: UUID, bot: Bot, sources: list[UUID]) -> None:
    requested = set(sources)
    present = set(Source.objects.filter(organisation=organisation, pk__in=requested).values_list("pk", flat=True))
    if present != requested:
        raise NotFound(message="There is no such source.")
    BotSource.objects.filter(organisation=organisation, bot=bot).delete()
    BotSource.objects.bulk_create(BotSource(organisation_id=organisation, bot=bot, source_id=pk) for pk in requested)


@transaction.atomic
def bot_pause(*, organisation: UUID, bot: UUID) -> Bot:
    """Stop a bot from answering. Answers in progress are finished. Pausing twice is no error.

    Raises:
        NotFound.
    """
    return _paused_set(organisation, bot, paused=True)


@transaction.atomic
def bot_resume(*, organisation: UUID, bot: UUID) -> Bot:
    """Let a bot answer again. Resuming a bot that is not paused is no error. Raises NotFound."""
    return _paused_set(organisation, bot, paused=False)


def _paused_set(organisation: UUID, bot: UUID, *, paused: bool) -> Bot:
    row = Bot.objects.select_for_update().filter(organisation=organisation, pk=bot).first()
    if row is None:
        raise NotFound(message="There is no such bot.")
    if (row.paused is not None) != paused:
        row.paused = timezone.now() if paused else None
        row.save(update_fields=["paused", "updated"])
        _audit(row, "bot.pause" if paused else "bot.resume", before={"paused": not paused}, after={"paused": paused})
    return row


@transaction.atomic
def bot_delete(*, organisation: UUID, bot: Bot) -> None:
    """Delete a bot with its revisions and conversations."""
    before = _state(bot)
    Bot.objects.filter(organisation=organisation, pk=bot.pk).delete()
    _audit(bot, "bot.delete", before=before)


@transaction.atomic
def revision_restore(*, organisation: UUID, bot: Bot, number: int, restored_by: User | None = None) -> BotRevision:
    """Publish an earlier revision's settings again, as a new revision.

    Raises:
        NotFound: the bot has no revision of this number.
    """
    earlier = BotRevision.objects.filter(organisation=organisation, bot=bot, number=number).first()
    if earlier is None:
        raise NotFound(message="There is no such revision.")
    before = _state(bot)
    revision = revision_publish(bot=bot, settings=earlier.parsed, created_by=restored_by)
    _audit(bot, "bot.restore", before=before, after=_state(bot))
    return revision
