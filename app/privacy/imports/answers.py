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
from app.privacy.imports.context import Coming, backdate, batched, create


def bots_make(coming: Coming) -> None:
    of = {"organisation": coming.organisation}
    bots = {row.id: row for row in coming.rows("bots")}
    create(Bot, (_clean(Bot(id=coming.new(row.id), slug=row.slug, name=row.name, **of)) for row in bots.values()))
    backdate(Bot, ((coming.new(row.id), row.created, None) for row in bots.values()))
    links = ((bot, source) for bot, row in bots.items() for source in row.sources)
    create(BotSource, (BotSource(bot_id=coming.new(bot), source_id=coming.new(source), **of) for bot, source in links))
    dates = []
    for batch in batched(coming.rows("revisions")):
        dates += [(coming.new(row.id), row.created, None) for row in batch]
        BotRevision.objects.bulk_create(
            BotRevision(
                id=coming.new(row.id),
                bot_id=coming.new(row.bot),
                number=row.number,
                settings=settings_check(row.settings).model_dump(),
                created_by_id=coming.person(row.created_by),
                **of,
            )
            for row in batch
        )
    backdate(BotRevision, dates)
    for row in bots.values():
        if row.live_revision is not None:
            Bot.objects.filter(pk=coming.new(row.id)).update(live_revision=coming.new(row.live_revision))


def _clean(bot: Bot) -> Bot:
    try:
        bot.clean_fields(exclude=["organisation", "live_revision"])
    except ValidationError as error:
        raise refused("a bot has a slug that cannot be used.") from error
    return bot


def conversations_make(coming: Coming) -> None:
    """With messages and citations. Those of a key are nobody's here: keys do not come along."""
    for batch in batched(coming.rows("conversations")):
        Conversation.objects.bulk_create(
            Conversation(
                id=coming.new(row.id),
                organisation=coming.organisation,
                bot_id=coming.new(row.bot),
                user_id=coming.person(row.user),
                title=row.title,
            )
            for row in batch
        )
        backdate(Conversation, [(coming.new(row.id), row.created, row.updated) for row in batch], both=True)
    for batch in batched(coming.rows("messages")):
        Message.objects.bulk_create(_message(coming, row) for row in batch)
        backdate(Message, [(coming.new(row.id), row.created, row.updated) for row in batch], both=True)
    for batch in batched(coming.rows("citations")):
        Citation.objects.bulk_create(_citation(coming, row) for row in batch)
    with connection.cursor() as cursor:
        # A chunk's id is worked out from its version's, which is a new one.
        cursor.execute(
            "UPDATE chat_citation c SET chunk_id = m.new FROM import_chunks m"
            " WHERE c.organisation_id = %s AND c.chunk_id = m.old",
            [coming.organisation.id],
        )


def _message(coming: Coming, row: MessageRow) -> Message:
    return Message(
        id=coming.new(row.id),
        organisation=coming.organisation,
        conversation_id=coming.new(row.conversation),
        reply_to_id=coming.new_or_none(row.reply_to),
        revision_id=coming.new_or_none(row.revision),
        state=MessageState.INTERRUPTED if row.state == MessageState.RUNNING else row.state,
        **row.model_dump(include=value_names(Message, Use.ARCHIVE) - {"state"}),
    )


def _citation(coming: Coming, row: CitationRow) -> Citation:
    return Citation(
        id=coming.new(row.id),
        organisation=coming.organisation,
        message_id=coming.new(row.message),
        chunk_id=coming.new(row.chunk),
        document_id=coming.new(row.document) if row.document in coming.documents else None,
        **row.model_dump(include=value_names(Citation, Use.ARCHIVE)),
    )
