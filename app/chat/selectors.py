from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from app.chat.choices import MessageState
from app.chat.models import Citation, Conversation, Message
from app.chat.payloads import citation_payload, message_payload, passage_payload
from app.chat.quotes import quotes_exact, quotes_find
from app.errors import NotFound
from app.lib.columns import payload


def conversation_list(
    *, organisation: UUID, user: UUID | None = None, key_family: UUID | None = None
) -> QuerySet[Conversation]:
    """Return the conversations of one person or one family of keys, the latest first; none when neither is given."""
    if user is None and key_family is None:
        return Conversation.objects.none()
    own = Conversation.objects.filter(organisation=organisation)
    own = own.filter(user=user) if user is not None else own.filter(api_key=key_family)
    return own.order_by("-updated", "-id")


def conversation_get(
    *, organisation: UUID, conversation: UUID, user: UUID | None = None, key_family: UUID | None = None
) -> Conversation:
    """Return one of the caller's own conversations. Other people's are not found, like other organisations'.

    Raises:
        NotFound.
    """
    own = conversation_list(organisation=organisation, user=user, key_family=key_family)
    row = own.select_related("bot").filter(pk=conversation).first()
    if row is None:
        raise NotFound
    return row


def message_list(*, organisation: UUID, conversation: Conversation) -> QuerySet[Message]:
    """Return the messages of a conversation that the caller may see, oldest first, each with its citations."""
    messages = Message.objects.filter(organisation=organisation, conversation=conversation)
    return messages.prefetch_related("citations").order_by("id")


def message_get(
    *, organisation: UUID, message: UUID, user: UUID | None = None, key_family: UUID | None = None
) -> Message:
    """Return a message of one of the caller's own conversations.

    Raises:
        NotFound.
    """
    own = conversation_list(organisation=organisation, user=user, key_family=key_family).order_by()
    messages = Message.objects.filter(organisation=organisation, conversation__in=own, pk=message)
    row = messages.prefetch_related("citations").first()
    if row is None:
        raise NotFound
    return row


def conversation_payload(conversation: Conversation) -> dict[str, Any]:
    """Return the payload of a conversation whose bot is loaded."""
    return {**payload(Conversation, vars(conversation)), "bot": conversation.bot.slug}


def message_row_payload(message: Message, *, find_quotes: bool = False) -> dict[str, Any]:
    """Return the payload of a message's row whose citations are loaded.

    find_quotes: also search quotes that are not word-for-word quotations, which costs 500 µs a citation.
    """
    quotes = quotes_find if find_quotes else quotes_exact
    values = vars(message)
    if message.state == MessageState.RUNNING:
        # The tokens of a running answer are reserved, not used.
        values = {**values, "tokens_in": 0, "tokens_out": 0}
    citations = [
        citation_payload(vars(row), _passage_payload(row), quotes(message.content[row.start : row.end], row.text))
        for row in message.citations.all()
    ]
    return message_payload(values, citations)


def _passage_payload(row: Citation) -> dict[str, Any]:
    return passage_payload(
        n=row.n,
        identity=row.chunk_id,
        document=row.document_id,
        name=row.document_name,
        version=row.version,
        text=row.text,
        place=row.place,
        score=None,
        as_of=row.as_of,
    )
