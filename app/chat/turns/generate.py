"""Generate the answer with the language model, from the passages."""

import asyncio
import logging

from app.chat.citations import CitationResolver, Piece, has_words
from app.chat.payloads import Passage
from app.chat.prompts import Prompt, PromptPassage, prompt_make, tokens_estimate
from app.chat.turns.state import Step, TurnContext, seconds
from app.errors import Upstream
from app.lib.sse import Event
from app.library.places import place_label
from app.llm.deltas import Usage
from app.llm.providers import provider_of

log = logging.getLogger(__name__)

# Shares of the context that are tried one after the other: tokens are estimated, and some models cut some languages
# into twice as many.
SHARES = (1.0, 0.5, 0.25)
IN_LINE_S = 60.0  # longest wait in the queue; the wait was expected to be half of this


async def generate(turn: TurnContext) -> None:
    """Wait in the model's queue and relay its reply.

    If the model fails before its first word, the next step answers, and the message gets the error.

    Raises:
        Upstream: the model failed later.
    """
    if not turn.model.available:
        return
    try:
        await _stand_in_line(turn)
        await _relay(turn)
    except Upstream as error:
        if turn.text:
            raise
        log.warning("no answer by %s: %s", turn.model.name, error.code)
        turn.error = error
    finally:
        turn.model.leave()


async def _stand_in_line(turn: TurnContext) -> None:
    ticket = turn.model.ticket
    assert ticket is not None
    try:
        async with asyncio.timeout(IN_LINE_S):
            while ticket.position:
                turn.emit(Event("queue", {"position": ticket.position, "wait_s": seconds(ticket.wait_s)}))
                await ticket.changed()
    except TimeoutError as error:
        raise Upstream("model_busy") from error


async def _relay(turn: TurnContext) -> None:
    """Relay the reply with its citations; retry with fewer passages when the server refuses the prompt as too long."""
    turn.emit(Event("step", {"name": "answer"}))
    for share in SHARES[:-1]:
        try:
            return await _relay_within(turn, share)
        except Upstream as error:
            if error.code != "prompt_too_long":
                raise
            log.info("a prompt was too long for %s: tried with less", turn.model.name)
    return await _relay_within(turn, SHARES[-1])


async def _relay_within(turn: TurnContext, share: float) -> None:
    """Relay the reply to a prompt that takes this share of the model's context."""
    prompt = _prompt(turn, share)
    assert turn.model.endpoint is not None
    turn.resolver = CitationResolver(prompt.shown)
    stream = provider_of(turn.model.endpoint).chat(
        prompt.messages,
        model=turn.model.name,
        max_tokens=prompt.max_tokens,
        temperature=turn.bot.settings.temperature,
    )
    gate, usage = _FirstWordGate(turn), Usage()
    try:
        async with stream:
            async for delta in stream:
                usage = delta.usage or usage
                if delta.text:
                    gate.pass_on(turn.resolver.feed(delta.text))
    finally:
        gate.pass_on(turn.resolver.finish())
        if not gate.open:
            turn.resolver = CitationResolver(())  # markers alone were not sent, so none is kept
        turn.tokens_in = usage.tokens_in or sum(tokens_estimate(message.text) for message in prompt.messages)
        turn.tokens_out = usage.tokens_out or tokens_estimate(turn.text)
    if not gate.open:
        raise Upstream("model_dropped", details={"reason": "no_text"})


def _prompt(turn: TurnContext, share: float) -> Prompt:
    assert turn.model.info is not None
    settings = turn.bot.settings
    scores = {str(hit.id): hit.score for hit in turn.candidates.hits}
    return prompt_make(
        question=turn.question,
        passages=[
            PromptPassage(passage.rank, _title(passage), passage.text, scores.get(str(passage.row["id"]), 0.0))
            for passage in turn.passages
        ],
        history=turn.opened.history,
        own=settings.system_prompt,
        refusal_text=settings.refusal_text,
        context=int(turn.model.info.context * share),
        max_tokens=settings.max_tokens,
    )


def _title(passage: Passage) -> str:
    return ", ".join(part for part in (passage.row["name"], place_label(passage.row["place"])) if part)


class _FirstWordGate:
    """Gate that holds pieces back until the first word: markers alone are no answer, and could not be withdrawn."""

    def __init__(self, turn: TurnContext) -> None:
        self.open = False
        self._turn = turn
        self._waiting: list[Piece] = []

    def pass_on(self, pieces: list[Piece]) -> None:
        if not self.open:
            self._waiting += pieces
            pieces = self._waiting
            self.open = has_words(self._turn.text)
        if self.open:
            self._turn.write(pieces)


STEP = Step("generate", generate)
