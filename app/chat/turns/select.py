"""Select the passages that are shown, number them, and refuse where they can hold no answer."""

from app.chat.choices import AnswerMode
from app.chat.citations import CitationResolver
from app.chat.payloads import passage_make
from app.chat.turns.state import Step, TurnContext
from app.lib.sse import Event


async def select(turn: TurnContext) -> None:
    rows = turn.opened.passages
    hits = [hit for hit in turn.found.hits if hit.id in rows][: turn.bot.settings.retriever_k]
    turn.passages = [passage_make(n=n, row=rows[hit.id], score=hit.score) for n, hit in enumerate(hits, 1)]
    turn.resolver = CitationResolver(range(1, len(hits) + 1))
    refused = not hits or not (turn.model.available or turn.answerable) or turn.out_of_domain
    if refused:
        turn.mode = AnswerMode.REFUSED  # before the first event, which says it
    turn.emit(
        Event("step", {"name": "search"}), Event("sources", {"passages": [passage.json for passage in turn.passages]})
    )
    if refused:
        turn.refuse()


STEP = Step("select", select)
