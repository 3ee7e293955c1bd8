"""One turn: from a question to a recorded answer.

`turn_begin` does what must be known before anything is sent (the question, the bot, the place in line, the search,
the rows); the rest runs in a task of its own, which readers follow through its TurnLog. Modes:

- model: a language model writes from the passages. When it fails before its first word, the answer is extractive and
  carries the error's code; when it fails later, the part so far is kept and the answer is `interrupted`.
- extractive: no model is configured, or it failed.
- refused: there are no passages, they are on another subject, or, without a model, they do not support an answer.
"""

import asyncio
import hashlib
import logging
import time
from contextvars import Context

from app.chat.choices import AnswerMode, MessageState
from app.chat.citations import CitationResolver
from app.chat.questions import query_make, question_check, question_points_back
from app.chat.shapes import citation_shape, last_event, message_shape, passage_make
from app.chat.turn import Asked, ModelChoice, Turn, seconds
from app.chat.turn_keeper import turn_keep, turn_let_go
from app.chat.turn_log import TurnLog
from app.chat.turn_store import (
    BotChanged,
    LiveBot,
    Opened,
    Owner,
    bot_live,
    questions_earlier,
    turn_close,
    turn_open,
)
from app.chat.writing import answer_write
from app.errors import RefdeskError, Upstream
from app.lib.sse import Event
from app.llm.endpoints import endpoint_default, endpoint_facts
from app.llm.queue import queue_of
from app.retrieval.search import Found, candidates_find

log = logging.getLogger(__name__)

RECORD_TRIES_S = (0.2, 0.5, 1.0, 2.0, 4.0)  # pauses while the database is away (a restart takes some seconds)


async def turn_begin(asked: Asked) -> Turn:
    """Start a turn; it runs on by itself.

    Raises:
        Invalid: question_empty, question_too_long.
        NotFound: no such bot or conversation of this owner.
        AskedBefore: the Idempotency-Key has an answer already.
        Upstream: search_unavailable, embeddings_unavailable; model_busy with retry_after_s.
        RefdeskError: database_unavailable.
    """
    began = time.perf_counter()
    question = question_check(asked.question)
    for fresh in (False, True, True):
        bot = await bot_live(organisation=asked.owner.organisation, slug=asked.bot, fresh=fresh)
        try:
            return await _begin(asked, question, bot, began)
        except BotChanged:
            continue
    raise RefdeskError("conflict", "The bot is being changed. Ask again in a moment.")


async def _begin(asked: Asked, question: str, bot: LiveBot, began: float) -> Turn:
    query = question
    if asked.conversation is not None and question_points_back(question):
        earlier = await questions_earlier(owner=asked.owner, conversation=asked.conversation)
        query = query_make(question=question, earlier=earlier)
    rewritten = time.perf_counter()
    model = await _model_of(asked.owner, bot)
    try:
        found = await candidates_find(
            organisation=asked.owner.organisation,
            query=query,
            sources=bot.sources,
            limit=bot.settings.retriever_k,
        )
        searched = time.perf_counter()
        opened = await turn_open(
            owner=asked.owner,
            bot=bot,
            question=question,
            conversation=asked.conversation,
            key=_key_of(asked),
            mode=AnswerMode.MODEL if model.answers else AnswerMode.EXTRACTIVE,
            model=model.name,
            chunks=[hit.id for hit in found.hits],
        )
    except BaseException:
        model.leave()
        raise
    timings: dict[str, float | None] = {
        "rewrite_s": seconds(rewritten - began),
        "embed_s": seconds(found.embed_s),
        "search_s": seconds(searched - rewritten),
    }
    return _start(asked, question, bot, opened, found, model, began, timings)


def _start(
    asked: Asked,
    question: str,
    bot: LiveBot,
    opened: Opened,
    found: Found,
    model: ModelChoice,
    began: float,
    timings: dict[str, float | None],
) -> Turn:
    """Number the passages that may be read, announce the turn, and let it run."""
    readable = [(hit, opened.passages[hit.id]) for hit in found.hits if hit.id in opened.passages]
    shown = readable[: bot.settings.retriever_k]
    passages = [passage_make(n=n, row=row, score=hit.score) for n, (hit, row) in enumerate(shown, 1)]
    turn = Turn(
        asked=asked,
        bot=bot,
        opened=opened,
        found=found,
        passages=passages,
        model=model,
        log=TurnLog(asked.owner.organisation, opened.answer),
        began=began,
        timings=timings,
        mode=AnswerMode.MODEL if model.answers else AnswerMode.EXTRACTIVE,
        resolver=CitationResolver(range(1, len(passages) + 1)),
        error=model.error,
    )
    if not passages or not (model.answers or turn.supported) or turn.off_subject:
        turn.mode = AnswerMode.REFUSED
    start = {"conversation": str(opened.conversation), "message": str(opened.answer), "mode": turn.mode}
    turn.log.add(
        Event("start", {**start, "model": model.name or None}),
        Event("step", {"name": "search"}),
        Event("sources", {"passages": [passage.json for passage in passages]}),
    )
    # A context of its own: the turn may outlive its request, and holds nothing of it.
    turn.log.task = asyncio.create_task(_run(turn, question), context=Context())
    turn_keep(turn.log)
    return turn


async def _model_of(owner: Owner, bot: LiveBot) -> ModelChoice:
    """The bot's model with a place in line. A server that is down is no obstacle: the answer is then extractive.

    Raises:
        Upstream: model_busy, when the line is too long.
    """
    endpoint = endpoint_default(bot.settings.llm_model)
    if endpoint is None:
        return ModelChoice()
    try:
        facts = await endpoint_facts(endpoint)
    except Upstream as error:
        return ModelChoice(endpoint, error=error)
    return ModelChoice(endpoint, facts, queue_of(endpoint.url, facts.slots).enter(owner.organisation))


def _key_of(asked: Asked) -> str:
    """The Idempotency-Key as it is stored: one owner's key is no other's, and any length fits."""
    if not asked.key:
        return ""
    owner = asked.owner.user or asked.owner.api_key
    return hashlib.sha256(f"{owner}\n{asked.bot}\n{asked.key}".encode()).hexdigest()


async def _run(turn: Turn, question: str) -> None:
    """Write the answer, record it, end the log: whatever happens."""
    state: str = MessageState.DONE
    try:
        await answer_write(turn, question)
    except asyncio.CancelledError:
        state = turn.log.stop_state or MessageState.INTERRUPTED
        task = asyncio.current_task()
        if turn.log.stop_state is not None and task is not None:
            task.uncancel()
    except RefdeskError as error:
        state, turn.error = MessageState.INTERRUPTED, error
    except Exception:  # a turn must end with a recorded state
        log.exception("answer %s failed", turn.log.message)
        state, turn.error = MessageState.INTERRUPTED, RefdeskError("internal")
    finally:
        turn.model.leave()
    if turn.error is None and state == MessageState.INTERRUPTED:
        turn.error = RefdeskError("interrupted")
    if state == MessageState.INTERRUPTED and not turn.resolver.text:
        state = MessageState.FAILED
    turn.log.recording = True
    try:
        await _record(turn, state)
    finally:
        turn.log.end()
        await turn_let_go(turn.log)


async def _record(turn: Turn, state: str) -> None:
    """Write the end of the turn, then tell its readers."""
    turn.timings["total_s"] = seconds(time.perf_counter() - turn.began)
    turn.timings.setdefault("first_token_s", None)
    for pause_s in (*RECORD_TRIES_S, None):
        try:
            turn.being_read = await turn_close(
                organisation=turn.asked.owner.organisation,
                answer=turn.opened.answer,
                sources=turn.bot.sources,
                content=turn.resolver.text,
                state=state,
                mode=turn.mode,
                model=turn.model.name if turn.mode == AnswerMode.MODEL or turn.tokens_out else "",
                tokens_in=turn.tokens_in,
                tokens_out=turn.tokens_out,
                timings=turn.timings,
                error_code=turn.error.code if turn.error else "",
                citations=[(citation, passage.row) for citation, passage in turn.citations],
            )
            break
        except RefdeskError as error:
            if pause_s is None:
                # The row stays `running` with its last checkpoint until it is found stale.
                turn.log.add(Event("error", error.as_json(turn.asked.request_id)))
                return
            await asyncio.sleep(pause_s)
    _tell(turn, state)


def _tell(turn: Turn, state: str) -> None:
    turn.message = message_shape(
        identity=turn.opened.answer,
        role="assistant",
        content=turn.resolver.text,
        state=state,
        mode=turn.mode,
        model=turn.model.name if turn.mode == AnswerMode.MODEL or turn.tokens_out else "",
        citations=[citation_shape(one, passage.json, turn.quotes(one, passage)) for one, passage in turn.citations],
        tokens_in=turn.tokens_in,
        tokens_out=turn.tokens_out,
        timings=turn.timings,
        error_code=turn.error.code if turn.error else "",
        being_read=turn.being_read,
        rating=None,
        created=turn.opened.created,
    )
    usage = {"tokens_in": turn.tokens_in, "tokens_out": turn.tokens_out}
    last = last_event(turn.message)
    turn.log.add(Event("usage", usage), last)
