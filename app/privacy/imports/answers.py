"""Bots and conversations of an archive."""

from django.core.exceptions import ValidationError
from django.db import connection

from app.bots.models import Bot, BotRevision, BotSource
from app.bots.services import settings_check
from app.chat.choices import MessageState
from app.chat.models import Citation, Conversation, Message
from app.lib.columns import Use, value_names
from app.privacy.archive.reading import refused
from app.privacy.archive.rows import CitationRow, MessageRow
from app.privacy.imports.context import ImportContext, backdate, batched, create


def bots_make(context: ImportContext) -> None:
    of = {"organisation": context.organisation}
    bots = {row.id: row for row in context.rows("bots")}
    create(Bot, (_clean(Bot(id=context.new(row.id), slug=row.slug, name=row.name, **of)) for row in bots.values()))
    backdate(Bot, ((context.new(row.id), row.created, None) for row in bots.values()))
    links = ((bot, source) for bot, row in bots.items() for source in row.sources)
    create(
        BotSource, (BotSource(bot_id=context.new(bot), source_id=context.new(source), **of) for bot, source in links)
    )
    dates = []
    for batch in batched(context.rows("revisions")):
        dates += [(context.new(row.id), row.created, None) for row in batch]
        BotRevision.objects.bulk_create(
            BotRevision(
                id=context.new(row.id),
                bot_id=context.new(row.bot),
                number=row.number,
                settings=settings_check(row.settings).model_dump(),
                created_by_id=context.person(row.created_by),
                **of,
            )
            for row in batch
        )
    backdate(BotRevision, dates)
    for row in bots.values():
        if row.live_revision is not None:
            Bot.objects.filter(pk=context.new(row.id)).update(live_revision=context.new(row.live_revision))


def _clean(bot: Bot) -> Bot:
    try:
        bot.clean_fields(exclude=["organisation", "live_revision"])
    except ValidationError as error:
        raise refused("a bot has a slug that cannot be used.") from error
    return bot


def conversations_make(context: ImportContext) -> None:
    """Make conversations with messages and citations. Those of a key have no owner here: keys do not come along."""
    for batch in batched(context.rows("conversations")):
        Conversation.objects.bulk_create(
            Conversation(
                id=context.new(row.id),
                organisation=context.organisation,
                bot_id=context.new(row.bot),
                user_id=context.person(row.user),
                title=row.title,
            )
            for row in batch
        )
        backdate(Conversation, [(context.new(row.id), row.created, row.updated) for row in batch], both=True)
    for batch in batched(context.rows("messages")):
        Message.objects.bulk_create(_message(context, row) for row in batch)
        backdate(Message, [(context.new(row.id), row.created, row.updated) for row in batch], both=True)
    for batch in batched(context.rows("citations")):
        Citation.objects.bulk_create(_citation(context, row) for row in batch)
    with connection.cursor() as cursor:
        # A chunk's id is derived from its version's id, which is new.
        cursor.execute(
            "UPDATE chat_citation c SET chunk_id = m.new FROM import_chunks m"
            " WHERE c.organisation_id = %s AND c.chunk_id = m.old",
            [context.organisation.id],
        )


def _message(context: ImportContext, row: MessageRow) -> Message:
    return Message(
        id=context.new(row.id),
        organisation=context.organisation,
        conversation_id=context.new(row.conversation),
        reply_to_id=context.new_or_none(row.reply_to),
        revision_id=context.new_or_none(row.revision),
        state=MessageState.INTERRUPTED if row.state == MessageState.RUNNING else row.state,
        **row.model_dump(include=value_names(Message, Use.ARCHIVE) - {"state"}),
    )


def _citation(context: ImportContext, row: CitationRow) -> Citation:
    return Citation(
        id=context.new(row.id),
        organisation=context.organisation,
        message_id=context.new(row.message),
        chunk_id=context.new(row.chunk),
        document_id=context.new(row.document) if row.document in context.documents else None,
        **row.model_dump(include=value_names(Citation, Use.ARCHIVE)),
    )
