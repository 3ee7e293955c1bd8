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
from app.chat.prompts import answer_most, tokens_fixed
from app.chat.questions import query_make, question_check, question_points_back
from app.chat.shapes import citation_shape, last_event, message_shape, passage_make
from app.chat.turn import Asked, ModelChoice, Turn, seconds
from app.chat.turn_counts import turn_count
from app.chat.turn_keeper import turn_keep, turn_let_go
from app.chat.turn_log import TurnLog
from app.chat.turn_store import (
    BotChanged,
    LiveBot,
    Opened,
    Owner,
    Reserve,
    bot_live,
    questions_earlier,
    turn_close,
    turn_open,
)
from app.chat.writing import answer_write
from app.errors import RefdeskError, Upstream
from app.lib.sse import Event
from app.lib.tenancy import scope_enter
from app.llm.queue import queue_of
from app.llm.routing import endpoint_default, model_info
from app.plans.caps import cap_check
from app.plans.rate_limits import tokens_settle, tokens_take
from app.retrieval.search import Found, candidates_find

log = logging.getLogger(__name__)

PASSAGE_TOKENS = 600  # of a passage of the usual length, with room
RECORD_TRIES_S = (0.2, 0.5, 1.0, 2.0, 4.0)  # pauses while the database is away (a restart takes some seconds)


async def turn_begin(asked: Asked) -> Turn:
    """Start a turn; it runs on by itself.

    Raises:
        Invalid: question_empty, question_too_long.
        NotFound: no such bot or conversation of this owner.
        AskedBefore: the Idempotency-Key has an answer already.
        Upstream: search_unavailable, embeddings_unavailable; model_busy with retry_after_s.
        RefdeskError: database_unavailable; quota_used_up and too_many_requests with retry_after_s.
    """
    began = time.perf_counter()
    question = question_check(asked.question)
    cap_check(organisation=asked.owner.organisation, api_key=asked.owner.api_key)
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
    reserve, taken = _reserve(question, bot, model), 0
    try:
        taken = await _take(asked.owner, bot, reserve)
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
            reserve=reserve,
        )
    except BaseException:
        model.leave()
        if taken:
            await tokens_settle(asked.owner.subject, taken=taken, used=0)
        raise
    timings: dict[str, float | None] = {
        "rewrite_s": seconds(rewritten - began),
        "embed_s": seconds(found.embed_s),
        "search_s": seconds(searched - rewritten),
    }
    turn = _start(asked, question, bot, opened, found, model, began, timings)
    turn.tokens_taken = taken
    return turn


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
    if not passages or not (model.answers or turn.supported) or turn.out_of_domain:
        turn.mode = AnswerMode.REFUSED
    start = {"conversation": str(opened.conversation), "message": str(opened.answer), "mode": turn.mode}
    turn.log.add(
        Event("start", {**start, "model": model.name or None}),
        Event("step", {"name": "search"}),
        Event("sources", {"passages": [passage.json for passage in passages]}),
    )
    # A context of its own: the turn may outlive its request, and holds nothing of it.
    context = Context()
    context.run(scope_enter, asked.owner.organisation)
    turn.log.task = asyncio.create_task(_run(turn, question), context=context)
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
        facts = await model_info(endpoint)
    except Upstream as error:
        return ModelChoice(endpoint, error=error)
    return ModelChoice(endpoint, facts, queue_of(endpoint.url, facts.slots).enter(owner.organisation))


def _reserve(question: str, bot: LiveBot, model: ModelChoice) -> Reserve:
    """What the turn may use of the model; nothing when none answers."""
    if model.facts is None or not model.answers:
        return Reserve()
    settings, context = bot.settings, model.facts.context
    most = answer_most(max_tokens=settings.max_tokens, context=context)
    fixed = tokens_fixed(
        question=question,
        own=settings.system_prompt,
        refusal_text=settings.refusal_text,
        passages=settings.retriever_k,
    )
    return Reserve(fixed, context, most)


async def _take(owner: Owner, bot: LiveBot, reserve: Reserve) -> int:
    """Tokens taken from the minute's limit, 0 when the plan has none. Passages are not known yet: taken as long ones.

    Raises:
        RefdeskError: too_many_requests with retry_after_s.
    """
    if not reserve.most:
        return 0
    read = min(reserve.fixed + bot.settings.retriever_k * PASSAGE_TOKENS, reserve.context - reserve.most)
    tokens = read + reserve.most
    return tokens if await tokens_take(owner.subject, tokens) else 0


def _key_of(asked: Asked) -> str:
    """The Idempotency-Key as it is stored: one owner's key is no other's, and any length fits."""
    if not asked.key:
        return ""
    owner = asked.owner.user or asked.owner.key_family
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
    turn_count(turn, state)
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
    if turn.tokens_taken:
        used = turn.tokens_in + turn.tokens_out
        await tokens_settle(turn.asked.owner.subject, taken=turn.tokens_taken, used=used)
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
