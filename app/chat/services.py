import asyncio
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import transaction

from app.accounts.models import ApiKey
from app.audit.actors import actor_now
from app.audit.trail import audit_record
from app.chat.choices import MessageRole, MessageState
from app.chat.models import Conversation, Message
from app.chat.turns.relay import TICK_S, stop_elsewhere
from app.chat.turns.stream import streams_here
from app.errors import Invalid

STOP_SEEN_S = 2.0  # wait for an answer that another process writes to stop


def conversation_rename(*, organisation: UUID, conversation: Conversation, title: str) -> None:
    """Rename a conversation.

    Raises:
        Invalid: an empty title.
    """
    title = " ".join(title.replace("\0", "").split())[:200]
    if not title:
        raise Invalid(message="Give the conversation a name.")
    Conversation.objects.filter(organisation=organisation, pk=conversation.pk).update(title=title)
    conversation.title = title


@transaction.atomic
def conversation_delete(*, organisation: UUID, conversation: Conversation) -> None:
    """Delete a conversation with its messages and citations. A running answer notices at its next checkpoint.

    Not audited for its own reader: a person's questions and their removal are private.
    """
    Conversation.objects.filter(organisation=organisation, pk=conversation.pk).delete()
    if not _is_own(conversation):
        # Without the title, which is a question.
        audit_record(
            organisation=organisation,
            action="conversation.delete",
            target_kind="conversation",
            target=str(conversation.pk),
            before={"owner": str(conversation.user_id or conversation.api_key_id), "created": conversation.created},
        )


def _is_own(conversation: Conversation) -> bool:
    """Return whether the actor is its person, or a key of its family."""
    actor = actor_now().id
    if conversation.api_key_id is None:
        return actor == conversation.user_id
    family = ApiKey.objects.filter(organisation=conversation.organisation_id, family=conversation.api_key_id)
    return actor in family.values_list("pk", flat=True)


def message_rate(*, organisation: UUID, message: Message, rating: int) -> None:
    """Rate an answer: 1 good, -1 bad, 0 withdrawn.

    Raises:
        Invalid: the message is a question.
    """
    if message.role != MessageRole.ASSISTANT:
        raise Invalid(message="Only answers can be rated.")
    Message.objects.filter(organisation=organisation, pk=message.pk).update(rating=rating or None)
    message.rating = rating or None


async def answer_stop(*, organisation: UUID, message: UUID) -> None:
    """Stop a running answer, in any process, and wait until it has stopped; its text so far is kept.

    An ended answer stays unchanged.
    """
    stream = streams_here().get(message)
    if stream is not None and stream.organisation == organisation:
        stream.stop("stopped")
        await stream.wait()
        return
    running = Message.objects.filter(organisation=organisation, pk=message, state=MessageState.RUNNING)
    if not await sync_to_async(running.exists)():
        return
    if not await stop_elsewhere(message):
        # The answer's process reads this state at the next checkpoint.
        await sync_to_async(running.update)(state=MessageState.STOPPED)
        return
    for _ in range(round(STOP_SEEN_S / TICK_S)):
        await asyncio.sleep(TICK_S)
        if not await sync_to_async(running.exists)():
            return
