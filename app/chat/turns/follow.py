"""Follow an answer from any process: live in its own process, else through Valkey, from its row at the end."""

import asyncio
import logging
from collections.abc import AsyncIterator
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import connections
from redis.exceptions import RedisError

from app.chat.choices import MessageRole, MessageState
from app.chat.models import Message
from app.chat.payloads import last_event
from app.chat.selectors import message_row_payload
from app.chat.turns.relay import events_elsewhere
from app.chat.turns.repository import answers_interrupt_stale
from app.chat.turns.stream import streams_here
from app.lib.sse import Event

log = logging.getLogger(__name__)

ROW_CHECK_S = 1.0  # interval of reading the row of an answer that another process writes


async def answer_events(*, organisation: UUID, message: UUID, after: int = 0) -> AsyncIterator[list[Event]]:
    """Yield the events after number `after`, to the end. The caller has checked that the message may be seen.

    An ended answer gives its `start` (from 0 on) and its last event, which contains the whole message.
    """
    stream = streams_here().get(message)
    if stream is not None and stream.organisation == organisation:
        async for batch in stream.read(after):
            yield batch
        return
    row = await _row(organisation, message)
    if row is not None and row.state == MessageState.RUNNING:
        ended = False
        async for batch in _follow(organisation, message, after):
            after += len(batch)
            ended = ended or any(event.name in ("done", "error") for event in batch)
            yield batch
        if ended:
            return
        row = await _row(organisation, message)
    if row is not None:
        yield _whole(row, after)


async def _follow(organisation: UUID, message: UUID, after: int) -> AsyncIterator[list[Event]]:
    """Yield events from Valkey, as long as the row shows that the answer is being written."""
    checked = asyncio.get_running_loop().time()
    try:
        async for batch in events_elsewhere(message, after):
            if batch:
                yield batch
            elif asyncio.get_running_loop().time() - checked > ROW_CHECK_S:
                checked = asyncio.get_running_loop().time()
                if not await _running(organisation, message):
                    return
        return
    except (RedisError, OSError, TimeoutError):
        log.warning("Valkey does not respond: a reader of %s waits for its end", message)
    while await _running(organisation, message):  # noqa: ASYNC110 (written elsewhere: only the row shows the end)
        await asyncio.sleep(ROW_CHECK_S)


async def _running(organisation: UUID, message: UUID) -> bool:
    """Return whether the answer is being written; interrupt it here if its process has died."""
    await answers_interrupt_stale()
    row = await _row(organisation, message)
    return row is not None and row.state == MessageState.RUNNING


@sync_to_async
def _row(organisation: UUID, message: UUID) -> Message | None:
    rows = Message.objects.filter(organisation=organisation, pk=message, role=MessageRole.ASSISTANT)
    try:
        return rows.prefetch_related("citations").first()
    finally:
        # The stream goes on without a connection: twelve readers used all of them up until their turns ended.
        connections.close_all()


def _whole(row: Message, after: int) -> list[Event]:
    start = {"conversation": str(row.conversation_id), "message": str(row.id), "mode": row.mode}
    events = [] if after else [Event("start", {**start, "model": row.model or None})]
    return [*events, last_event(message_row_payload(row))]
