from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from app.chat.choices import MessageState
from app.chat.citations import Citation
from app.chat.models import Citation as CitationRow
from app.chat.models import Conversation, Message
from app.chat.payloads import citation_shape, message_shape, passage_shape
from app.chat.quotes import Span, quotes_exact, quotes_find
from app.errors import NotFound
from app.lib.times import time_shape


def conversation_list(
    *, organisation: UUID, user: UUID | None = None, key_family: UUID | None = None
) -> QuerySet[Conversation]:
    """Conversations of one person or one family of keys, the latest first; of nobody when neither is given."""
    if user is None and key_family is None:
        return Conversation.objects.none()
    own = Conversation.objects.filter(organisation=organisation)
    own = own.filter(user=user) if user is not None else own.filter(api_key=key_family)
    return own.order_by("-updated", "-id")


def conversation_get(
    *, organisation: UUID, conversation: UUID, user: UUID | None = None, key_family: UUID | None = None
) -> Conversation:
    """One of the caller's own. Another member's is as absent as another organisation's.

    Raises:
        NotFound.
    """
    own = conversation_list(organisation=organisation, user=user, key_family=key_family)
    found = own.select_related("bot").filter(pk=conversation).first()
    if found is None:
        raise NotFound
    return found


def message_list(*, organisation: UUID, conversation: Conversation) -> QuerySet[Message]:
    """Oldest first, each with its citations. The conversation is one that the caller may see."""
    messages = Message.objects.filter(organisation=organisation, conversation=conversation)
    return messages.prefetch_related("citations").order_by("id")


def message_get(
    *, organisation: UUID, message: UUID, user: UUID | None = None, key_family: UUID | None = None
) -> Message:
    """A message of one of the caller's own conversations.

    Raises:
        NotFound.
    """
    own = conversation_list(organisation=organisation, user=user, key_family=key_family).order_by()
    messages = Message.objects.filter(organisation=organisation, conversation__in=own, pk=message)
    found = messages.prefetch_related("citations").first()
    if found is None:
        raise NotFound
    return found


def conversation_read(conversation: Conversation) -> dict[str, Any]:
    """A Conversation of the API; its bot is loaded."""
    return {
        "id": str(conversation.id),
        "title": conversation.title,
        "bot": conversation.bot.slug,
        "created": time_shape(conversation.created),
        "updated": time_shape(conversation.updated),
    }


def message_read(message: Message, *, find_quotes: bool = False) -> dict[str, Any]:
    """A Message of the API; its citations are loaded. find_quotes: also where no quotation stands word by word, which
    costs 500 µs a citation."""
    quotes = quotes_find if find_quotes else quotes_exact
    running = message.state == MessageState.RUNNING  # its tokens are what it may use, not what it has used
    return message_shape(
        identity=message.id,
        role=message.role,
        content=message.content,
        state=message.state,
        mode=message.mode,
        model=message.model,
        citations=[
            _citation_read(row, quotes(message.content[row.start : row.end], row.text))
            for row in message.citations.all()
        ],
        tokens_in=0 if running else message.tokens_in,
        tokens_out=0 if running else message.tokens_out,
        timings=message.timings,
        error_code=message.error_code,
        being_read=message.being_read,
        rating=message.rating,
        created=message.created,
    )


def _citation_read(row: CitationRow, quotes: list[Span] | None) -> dict[str, Any]:
    passage = passage_shape(
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
    return citation_shape(Citation(row.n, row.start, row.end), passage, quotes)
