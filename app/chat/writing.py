"""Writing an answer: by a model, from the passages' own sentences, or by saying that the documents do not hold one."""

import asyncio
import logging

from app.chat.attribution import answer_attribute
from app.chat.choices import AnswerMode
from app.chat.citations import CitationResolver, Piece, has_words
from app.chat.extractive import Readable, extract_make
from app.chat.prompts import Source, is_refusal, prompt_make, tokens_estimate
from app.chat.shapes import Passage
from app.chat.turn import Turn, seconds
from app.errors import Upstream
from app.lib.sse import Event
from app.library.places import place_label
from app.llm.deltas import Usage
from app.llm.providers import provider_of
from app.llm.queue import Ticket

log = logging.getLogger(__name__)

# Of the context, one after the other: tokens are estimated, and some models cut some languages into twice as many.
SHARES = (1.0, 0.5, 0.25)
IN_LINE_S = 60.0  # longest stay in the queue; the wait was expected to be half of that


async def answer_write(turn: Turn, question: str) -> None:
    """Write the answer into the turn.

    Raises:
        Upstream: the model failed after its first word.
    """
    if turn.mode == AnswerMode.REFUSED:
        _refuse(turn)
    elif turn.model.answers and await _write_by_model(turn, question):
        pass
    elif turn.supported:
        _write_extract(turn, question)
    else:
        _refuse(turn)


async def _write_by_model(turn: Turn, question: str) -> bool:
    """False when the model failed before its first word.

    Raises:
        Upstream: it failed later.
    """
    assert turn.model.ticket is not None
    try:
        await _stand_in_line(turn, turn.model.ticket)
        await _stream(turn, question)
    except Upstream as error:
        if turn.resolver.text:
            raise
        log.warning("no answer by %s: %s", turn.model.name, error.code)
        turn.error = error
        return False
    finally:
        turn.model.leave()
    if not turn.citations:
        if is_refusal(answer=turn.resolver.text, refusal_text=turn.bot.settings.refusal_text):
            turn.mode = AnswerMode.REFUSED
        else:
            turn.give(answer_attribute(answer=turn.resolver.text, question=question, passages=_readable(turn)))
    return True


async def _stand_in_line(turn: Turn, ticket: Ticket) -> None:
    try:
        async with asyncio.timeout(IN_LINE_S):
            while ticket.position:
                turn.log.add(Event("queue", {"position": ticket.position, "wait_s": seconds(ticket.wait_s)}))
                await ticket.changed()
    except TimeoutError as error:
        raise Upstream("model_busy") from error


async def _stream(turn: Turn, question: str) -> None:
    """Relay the model's words, with their citations; from fewer passages where it says that the prompt is too long."""
    turn.log.add(Event("step", {"name": "answer"}))
    for share in SHARES[:-1]:
        try:
            return await _stream_within(turn, question, share)
        except Upstream as error:
            if error.code != "prompt_too_long":
                raise
            log.info("a prompt was too long for %s: tried with less", turn.model.name)
    return await _stream_within(turn, question, SHARES[-1])


async def _stream_within(turn: Turn, question: str, share: float) -> None:
    """With a prompt that takes so much of the model's context."""
    assert turn.model.endpoint is not None
    assert turn.model.facts is not None
    settings = turn.bot.settings
    prompt = prompt_make(
        question=question,
        sources=_sources(turn),
        history=turn.opened.history,
        own=settings.system_prompt,
        refusal_text=settings.refusal_text,
        context=int(turn.model.facts.context * share),
        max_tokens=settings.max_tokens,
    )
    turn.resolver = CitationResolver(prompt.shown)
    stream = provider_of(turn.model.endpoint).chat(
        prompt.messages,
        model=turn.model.name,
        max_tokens=prompt.max_tokens,
        temperature=settings.temperature,
    )
    worded, usage = _Worded(turn), Usage()
    try:
        async with stream:
            async for delta in stream:
                usage = delta.usage or usage
                if delta.text:
                    worded.give(turn.resolver.feed(delta.text))
    finally:
        worded.give(turn.resolver.finish())
        if not worded.begun:
            turn.resolver = CitationResolver(())  # of markers alone nothing was sent, and nothing is kept
        turn.tokens_in = usage.tokens_in or sum(tokens_estimate(message.text) for message in prompt.messages)
        turn.tokens_out = usage.tokens_out or tokens_estimate(turn.resolver.text)
    if not worded.begun:
        raise Upstream("model_dropped", details={"reason": "no_text"})


class _Worded:
    """Gives pieces to the readers from the first word on: markers alone are no answer, and could not be taken back."""

    def __init__(self, turn: Turn) -> None:
        self.begun = False
        self._turn = turn
        self._held: list[Piece] = []

    def give(self, pieces: list[Piece]) -> None:
        if not self.begun:
            self._held += pieces
            pieces = self._held
            self.begun = has_words(self._turn.resolver.text)
        if self.begun:
            self._turn.give(pieces)


def _sources(turn: Turn) -> list[Source]:
    scores = {str(hit.id): hit.score for hit in turn.found.hits}
    return [
        Source(passage.n, _title(passage), passage.text, scores.get(str(passage.row["id"]), 0.0))
        for passage in turn.passages
    ]


def _title(passage: Passage) -> str:
    return ", ".join(part for part in (passage.row["name"], place_label(passage.row["place"])) if part)


def _readable(turn: Turn) -> list[Readable]:
    return [
        Readable(passage.n, passage.text, f"{passage.row['name']} {passage.heading}", passage.kind)
        for passage in turn.passages
    ]


def _write_extract(turn: Turn, question: str) -> None:
    extract = extract_make(question=question, passages=_readable(turn))
    if extract is None:
        _refuse(turn)
        return
    turn.mode = AnswerMode.EXTRACTIVE
    turn.resolver = CitationResolver(())
    turn.resolver.text = extract.text
    turn.give([extract.text, *extract.citations])


def _refuse(turn: Turn) -> None:
    turn.mode = AnswerMode.REFUSED
    turn.resolver = CitationResolver(())
    turn.resolver.text = turn.bot.settings.refusal_text
    turn.give([turn.resolver.text])
