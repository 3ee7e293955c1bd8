import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any
from uuid import UUID

import orjson
from asgiref.sync import sync_to_async
from django.http import HttpResponse, HttpResponseBase
from ninja import Router, Status
from ninja.pagination import paginate

from app.accounts.auth import ApiRequest, Caller, async_policy, policy, stream_allowed
from app.accounts.choices import Role, Scope
from app.chat.lifespan import lifespan_register
from app.chat.models import Conversation, Message
from app.chat.schemas import (
    ChatIn,
    ConversationOut,
    ConversationPatch,
    FeedbackIn,
    MessageOut,
    TurnOut,
)
from app.chat.selectors import (
    conversation_get,
    conversation_list,
    conversation_payload,
    message_get,
    message_list,
    message_row_payload,
)
from app.chat.services import answer_stop, conversation_delete, conversation_rename, message_rate
from app.chat.turns.follow import answer_events
from app.chat.turns.repository import DuplicateTurn, Owner
from app.chat.turns.run import turn_begin
from app.chat.turns.state import TurnRequest
from app.errors import NotAllowed, NotFound, RefdeskError
from app.lib.cursor_pagination import TimePagination
from app.lib.openapi_responses import EVENTS, responses
from app.lib.request_id import request_id_get
from app.lib.sse import ALLOWED_S, Event, sse

router = Router(tags=["chat"])
lifespan_register()


def _conversation(caller: Caller, conversation: UUID) -> Conversation:
    return conversation_get(
        organisation=caller.organisation_id,
        conversation=conversation,
        user=caller.user_id,
        key_family=caller.key_family,
    )


def _message(caller: Caller, message: UUID) -> Message:
    return message_get(
        organisation=caller.organisation_id, message=message, user=caller.user_id, key_family=caller.key_family
    )


@router.post(
    "/bots/{slug}/chat", auth=async_policy(Role.VIEWER, Scope.CHAT), response=TurnOut, openapi_extra=responses(EVENTS)
)
async def create_turn(request: ApiRequest, slug: str, turn: ChatIn) -> HttpResponseBase:
    """Ask a bot, and get the answer as server-sent events or, with `stream` false, as one object.

    A repeated `Idempotency-Key` returns the same turn, also while it is being written.
    """
    caller = request.caller
    question = TurnRequest(
        owner=Owner(caller.organisation_id, caller.user_id, caller.api_key_id, caller.key_family),
        bot=slug,
        question=turn.message,
        conversation=turn.conversation,
        key=request.headers.get("Idempotency-Key", ""),
        request_id=request_id_get(request),
    )
    try:
        begun = await turn_begin(question)
    except DuplicateTurn as duplicate:
        events = answer_events(organisation=caller.organisation_id, message=duplicate.answer)
    else:
        events = begun.stream.read()
    if turn.stream:
        return await sse(events, request_id=question.request_id, allowed=partial(stream_allowed, request))
    return await _whole(events, partial(stream_allowed, request))


async def _whole(events: AsyncIterator[list[Event]], allowed: Callable[[], Awaitable[bool]]) -> HttpResponse:
    """Return the turn as one object. A long answer goes only to a caller whose rights still hold, as with a stream.

    Raises:
        RefdeskError: there is no answer.
        NotAllowed: the caller's rights ended meanwhile; the turn then loses its reader.
    """
    conversation, last, asked = "", Event("error", {}), time.monotonic()
    async for batch in events:
        if time.monotonic() - asked > ALLOWED_S:
            if not await allowed():
                raise NotAllowed(message="Your access ended while the answer was being written.")
            asked = time.monotonic()
        for event in batch:
            if event.name == "start":
                conversation = event.data["conversation"]
        last = batch[-1] if batch else last
    message = last.data.get("message")
    if message is None or message["state"] == "failed":
        raise RefdeskError(last.data.get("error", {}).get("code") or "interrupted")
    body = orjson.dumps({"conversation": conversation, "message": message})
    return HttpResponse(body, content_type="application/json")


@router.get("/conversations", auth=policy(Role.VIEWER, Scope.CONVERSATIONS), response=list[ConversationOut])
@paginate(TimePagination, ordering=("-updated", "-id"), payload=conversation_payload)
def list_conversations(request: ApiRequest) -> Any:
    """List the caller's own conversations, the latest first."""
    caller = request.caller
    own = conversation_list(organisation=caller.organisation_id, user=caller.user_id, key_family=caller.key_family)
    return own.select_related("bot")


@router.get(
    "/conversations/{uuid:conversation_id}", auth=policy(Role.VIEWER, Scope.CONVERSATIONS), response=ConversationOut
)
def get_conversation(request: ApiRequest, conversation_id: UUID) -> Any:
    """Return a conversation of the caller."""
    return conversation_payload(_conversation(request.caller, conversation_id))


@router.patch(
    "/conversations/{uuid:conversation_id}", auth=policy(Role.VIEWER, Scope.CONVERSATIONS), response=ConversationOut
)
def update_conversation(request: ApiRequest, conversation_id: UUID, changes: ConversationPatch) -> Any:
    """Change the title of a conversation."""
    conversation = _conversation(request.caller, conversation_id)
    conversation_rename(organisation=request.caller.organisation_id, conversation=conversation, title=changes.title)
    return conversation_payload(conversation)


@router.delete(
    "/conversations/{uuid:conversation_id}", auth=policy(Role.VIEWER, Scope.CONVERSATIONS), response={204: None}
)
def delete_conversation(request: ApiRequest, conversation_id: UUID) -> Any:
    """Delete a conversation with its messages."""
    conversation = _conversation(request.caller, conversation_id)
    conversation_delete(organisation=request.caller.organisation_id, conversation=conversation)
    return Status(204, None)


@router.get(
    "/conversations/{uuid:conversation_id}/messages",
    auth=policy(Role.VIEWER, Scope.CONVERSATIONS),
    response=list[MessageOut],
)
@paginate(TimePagination, ordering=("id",), payload=message_row_payload)
def list_messages(request: ApiRequest, conversation_id: UUID) -> Any:
    """Return the messages of a conversation, oldest first: an id begins with its time."""
    conversation = _conversation(request.caller, conversation_id)
    return message_list(organisation=request.caller.organisation_id, conversation=conversation)


@router.get("/messages/{uuid:message_id}", auth=policy(Role.VIEWER, Scope.CONVERSATIONS), response=MessageOut)
def get_message(request: ApiRequest, message_id: UUID) -> Any:
    """Return a message; each citation names the part of its passage that it rests on (`quotes`)."""
    return message_row_payload(_message(request.caller, message_id), find_quotes=True)


@router.get(
    "/messages/{uuid:message_id}/events",
    auth=async_policy(Role.VIEWER, Scope.CONVERSATIONS),
    openapi_extra=responses(EVENTS),
)
async def follow_message(request: ApiRequest, message_id: UUID) -> HttpResponseBase:
    """Send the events of an answer again, from the one after `Last-Event-ID` or from the first."""
    message = await sync_to_async(_message)(request.caller, message_id)
    if message.role != "assistant":
        raise NotFound
    last = request.headers.get("Last-Event-ID", "")
    after = int(last) if last.isascii() and last.isdigit() and len(last) < 10 else 0
    events = answer_events(organisation=request.caller.organisation_id, message=message.id, after=after)
    return await sse(events, after=after, request_id=request_id_get(request), allowed=partial(stream_allowed, request))


@router.post(
    "/messages/{uuid:message_id}/stop", auth=async_policy(Role.VIEWER, Scope.CONVERSATIONS), response=MessageOut
)
async def stop_message(request: ApiRequest, message_id: UUID) -> HttpResponse:
    """Stop an answer that is being written and keep its text so far. Return the message as it is then."""
    message = await sync_to_async(_message)(request.caller, message_id)
    await answer_stop(organisation=request.caller.organisation_id, message=message.id)
    message = await sync_to_async(_message)(request.caller, message_id)
    return HttpResponse(orjson.dumps(message_row_payload(message)), content_type="application/json")


@router.post("/messages/{uuid:message_id}/feedback", auth=policy(Role.VIEWER, Scope.CONVERSATIONS), response=MessageOut)
def create_feedback(request: ApiRequest, message_id: UUID, feedback: FeedbackIn) -> Any:
    """Rate an answer: 1 good, -1 bad, 0 takes the rating back."""
    message = _message(request.caller, message_id)
    message_rate(organisation=request.caller.organisation_id, message=message, rating=feedback.rating)
    return message_row_payload(message)
