"""Admit the turn to its model: a place in the queue, and tokens of the minute's limit."""

from app.bots.settings import BotSettings
from app.chat.choices import AnswerMode
from app.chat.prompts import answer_most, tokens_fixed
from app.chat.turns.repository import TokenReservation
from app.chat.turns.state import ModelChoice, Step, TurnContext
from app.errors import Upstream
from app.llm.queue import queue_of
from app.llm.routing import endpoint_choose, model_info
from app.plans.rate_limits import tokens_take

PASSAGE_TOKENS = 600  # of a passage of usual length, with a margin


async def admit(turn: TurnContext) -> None:
    """Choose the model, enter its queue and take tokens.

    Raises:
        Upstream: model_busy, when the queue is too long.
        RefdeskError: too_many_requests with retry_after_s.
    """
    turn.model = await _choose(turn)
    turn.error = turn.model.error
    if turn.model.available:
        turn.mode = AnswerMode.MODEL
        turn.reservation = _reservation(turn)
        turn.tokens_taken = await _take(turn)


async def _choose(turn: TurnContext) -> ModelChoice:
    """Return the bot's model with a place in the queue. With an unavailable server the answer becomes extractive."""
    endpoint = None
    try:
        endpoint = await endpoint_choose(
            organisation=turn.request.owner.organisation, wanted=turn.bot.settings.llm_model
        )
        if endpoint is None:
            return ModelChoice()
        info = await model_info(endpoint)
    except Upstream as error:
        return ModelChoice(endpoint, error=error)
    ticket = queue_of(endpoint.url, info.slots).enter(turn.request.owner.organisation)
    return ModelChoice(endpoint, info, ticket)


def _reservation(turn: TurnContext) -> TokenReservation:
    assert turn.model.info is not None
    settings: BotSettings = turn.bot.settings
    context = turn.model.info.context
    fixed = tokens_fixed(
        question=turn.question,
        own=settings.system_prompt,
        refusal_text=settings.refusal_text,
        passages=settings.retriever_k,
    )
    return TokenReservation(fixed, context, answer_most(max_tokens=settings.max_tokens, context=context))


async def _take(turn: TurnContext) -> int:
    """Take tokens from the minute's limit, as if all passages were long: they are not known yet.

    Returns: the tokens taken; 0 when the plan has no limit.
    """
    reservation = turn.reservation
    read = reservation.fixed + turn.bot.settings.retriever_k * PASSAGE_TOKENS
    tokens = min(read, reservation.context - reservation.most) + reservation.most
    return tokens if await tokens_take(turn.request.owner.subject, tokens) else 0


STEP = Step("admit", admit)
