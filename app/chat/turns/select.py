"""Select the passages that are shown, rank them, and refuse where they can hold no answer."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.chat.choices import AnswerMode
from app.chat.citations import CitationResolver
from app.chat.payloads import passage_make
from app.chat.turns.state import Step, TurnContext
from app.lib.sse import Event
from app.retrieval.fusion import Hit


async def select(turn: TurnContext) -> None:
    rows = turn.opened.passages
    hits = _distinct([hit for hit in turn.candidates.hits if hit.id in rows], rows)[: turn.bot.settings.retriever_k]
    turn.passages = [passage_make(rank=rank, row=rows[hit.id], score=hit.score) for rank, hit in enumerate(hits, 1)]
    turn.resolver = CitationResolver(range(1, len(hits) + 1))
    refused = not hits or not (turn.model.available or turn.answerable) or turn.out_of_domain
    if refused:
        turn.mode = AnswerMode.REFUSED  # before the first event, which contains it
    turn.emit(
        Event("step", {"name": "search"}),
        Event("sources", {"passages": [passage.json() for passage in turn.passages]}),
    )
    if refused:
        turn.refuse()


def _distinct(hits: Sequence[Hit], rows: Mapping[str, Mapping[str, Any]]) -> list[Hit]:
    """Return the best hit of each text: a file in two sources takes the place of one passage, not of two."""
    best: dict[str, Hit] = {}
    for hit in hits:
        best.setdefault(rows[hit.id]["text"], hit)
    return list(best.values())


STEP = Step("select", select)
