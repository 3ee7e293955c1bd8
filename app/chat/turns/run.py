"""Run a turn: a list of named steps over one context, from a question to a recorded answer.

PREPARATION runs within the request: a failure there is an HTTP error, and nothing is recorded. Then one statement
creates the rows of question and answer, and ANSWERING runs in its own task, which readers follow through the turn's
stream; after any failure there, the answer is recorded with a state (I4). A step is one file with a `STEP`; the lists
here give the order of steps by name, and a step that calls `turn.end()` prevents later ones.

Modes of an answer:

- model: a language model writes from the passages. When it fails before its first word, the answer is extractive and
  has the error's code; when it fails later, the part so far is kept and the answer is `interrupted`.
- extractive: no model is configured, or it failed.
- refused: there are no passages, they are on another subject, or, without a model, they do not support an answer.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import Sequence
from contextvars import Context
from typing import Any

from app.chat.choices import MessageState
from app.chat.models import Message
from app.chat.payloads import last_event, message_payload
from app.chat.questions import question_check
from app.chat.turns import admit, extract, generate, retrieve, rewrite, select, verify
from app.chat.turns.end_log import turn_end_log
from app.chat.turns.metrics import turn_count
from app.chat.turns.relay import relay_start, relay_stop
from app.chat.turns.repository import BotChanged, bot_live, turn_close, turn_open
from app.chat.turns.state import Step, TurnContext, TurnRequest, citation_values
from app.chat.turns.stream import TurnStream
from app.errors import RefdeskError
from app.lib.columns import Use, column_defaults
from app.lib.ids import new_id
from app.lib.sse import Event
from app.lib.tenancy import scope_enter
from app.lib.trace import trace_enter, trace_now
from app.plans.caps import cap_check
from app.plans.rate_limits import tokens_settle

log = logging.getLogger(__name__)

PREPARATION: tuple[Step, ...] = (rewrite.STEP, admit.STEP, retrieve.STEP)
ANSWERING: tuple[Step, ...] = (select.STEP, generate.STEP, extract.STEP, verify.STEP)

RECORD_TRIES_S = (0.2, 0.5, 1.0, 2.0, 4.0)  # pauses while the database is unavailable (a restart takes some seconds)


async def turn_begin(request: TurnRequest) -> TurnContext:
    """Begin a turn, which continues in its own task.

    Raises:
        Invalid: question_empty, question_too_long.
        NotFound: no such bot or conversation of this owner.
        DuplicateTurn: the Idempotency-Key has an answer already.
        Upstream: search_unavailable, embeddings_unavailable; model_busy with retry_after_s.
        RefdeskError: database_unavailable; quota_used_up and too_many_requests with retry_after_s.
    """
    began = time.perf_counter()
    owner = request.owner
    question = question_check(request.question)
    cap_check(organisation=owner.organisation, api_key=owner.api_key)
    for fresh in (False, True, True):
        turn = TurnContext(
            request=request,
            bot=await bot_live(organisation=owner.organisation, slug=request.bot, fresh=fresh),
            question=question,
            began=began,
            conversation=request.conversation or new_id(),
            question_id=new_id(),  # before the answer's: messages are listed by their ids
            stream=TurnStream(owner.organisation, new_id()),
        )
        try:
            await _prepare(turn)
        except BotChanged:
            continue
        _start(turn)
        return turn
    raise RefdeskError("conflict", "The bot is being changed. Ask again in a moment.")


async def _run(steps: Sequence[Step], turn: TurnContext) -> None:
    for step in steps:
        if turn.ended:
            return
        await step.run(turn)


async def _prepare(turn: TurnContext) -> None:
    """Run the steps before the answer, and create the rows of question and answer."""
    request = turn.request
    try:
        await _run(PREPARATION, turn)
        turn.opened = await turn_open(
            owner=request.owner,
            bot=turn.bot,
            question=turn.question,
            conversation=turn.conversation,
            new=request.conversation is None,
            question_id=turn.question_id,
            answer_id=turn.answer_id,
            key=_stored_key(request),
            mode=turn.mode,
            model=turn.model.name,
            chunks=turn.chunks,
            reservation=turn.reservation,
        )
    except BaseException:
        turn.model.leave()
        if turn.tokens_taken:
            await tokens_settle(request.owner.subject, taken=turn.tokens_taken, used=0)
        raise


def _stored_key(request: TurnRequest) -> str:
    """Return the stored Idempotency-Key: a hash, separate for each owner and for keys of any length."""
    if not request.key:
        return ""
    owner = request.owner.user or request.owner.key_family
    return hashlib.sha256(f"{owner}\n{request.bot}\n{request.key}".encode()).hexdigest()


def _start(turn: TurnContext) -> None:
    # A separate context: the turn may outlive its request, and keeps none of its values.
    context = Context()
    context.run(scope_enter, turn.request.owner.organisation)
    context.run(trace_enter, trace_now())
    turn.stream.task = asyncio.create_task(_answer(turn), context=context)
    relay_start(turn.stream)


async def _answer(turn: TurnContext) -> None:
    """Run the steps of the answer, record it and end the stream, also after a failure."""
    state: str = MessageState.DONE
    try:
        await _run(ANSWERING, turn)
    except asyncio.CancelledError:
        state = turn.stream.stop_state or MessageState.INTERRUPTED
        task = asyncio.current_task()
        if turn.stream.stop_state is not None and task is not None:
            task.uncancel()
    except RefdeskError as error:
        state, turn.error = MessageState.INTERRUPTED, error
    except Exception:  # a turn must end with a recorded state
        log.exception("answer %s failed", turn.answer_id)
        state, turn.error = MessageState.INTERRUPTED, RefdeskError("internal")
    finally:
        turn.model.leave()
    if turn.error is None and state == MessageState.INTERRUPTED:
        turn.error = RefdeskError("interrupted")
    if state == MessageState.INTERRUPTED and not turn.text:
        state = MessageState.FAILED
    turn.stream.recording = True
    try:
        await _record(turn, state)
    finally:
        turn.stream.end()
        await relay_stop(turn.stream)


async def _record(turn: TurnContext, state: str) -> None:
    """Record the answer and its usage, then send its last events."""
    turn.timings["total_s"] = turn.seconds_since(turn.began)
    turn.timings.setdefault("first_token_s", None)
    turn_count(turn, state)
    turn_end_log(turn, state)
    values = {
        **column_defaults(Message, Use.RESULT),
        "content": turn.text,
        "state": state,
        "mode": turn.mode,
        "model": turn.written_by,
        "tokens_in": turn.tokens_in,
        "tokens_out": turn.tokens_out,
        "timings": turn.timings,
        "error_code": turn.error.code if turn.error else "",
        **turn.columns,
    }
    try:
        being_read = await _close(turn, values)
    except RefdeskError as error:
        # The row stays `running` with its last checkpoint until it is found stale.
        turn.emit(Event("error", error.as_json(turn.request.request_id)))
        return
    if turn.tokens_taken:
        used = turn.tokens_in + turn.tokens_out
        await tokens_settle(turn.request.owner.subject, taken=turn.tokens_taken, used=used)
    turn.message = message_payload(
        {
            **values,
            "id": turn.answer_id,
            "role": "assistant",
            "rating": None,
            "created": turn.opened.created,
            "being_read": being_read,
        },
        turn.citation_payloads,
    )
    usage = {"tokens_in": turn.tokens_in, "tokens_out": turn.tokens_out}
    turn.emit(Event("usage", usage), last_event(turn.message))


async def _close(turn: TurnContext, values: dict[str, Any]) -> int:
    """Record the answer, with retries while the database is unavailable; return how many documents are being read.

    Raises:
        RefdeskError: database_unavailable, after the last retry.
    """
    citations = [citation_values(citation, passage) for citation, passage in turn.citations]
    for pause_s in (*RECORD_TRIES_S, None):
        try:
            return await turn_close(
                organisation=turn.request.owner.organisation,
                answer=turn.answer_id,
                sources=turn.bot.sources,
                values=values,
                citations=citations,
            )
        except RefdeskError:
            if pause_s is None:
                raise
            await asyncio.sleep(pause_s)
    raise AssertionError("the last try raises")
