"""Retrieve candidate passages for the query; the statement that opens the turn reads them again from PostgreSQL."""

import time

from app.chat.turns.state import Step, TurnContext, seconds
from app.retrieval.search import candidates_find


async def retrieve(turn: TurnContext) -> None:
    """Search the bot's sources.

    Raises:
        Upstream: search_unavailable, embeddings_unavailable.
    """
    began = time.perf_counter()
    turn.candidates = await candidates_find(
        organisation=turn.request.owner.organisation,
        query=turn.query,
        sources=turn.bot.sources,
        limit=turn.bot.settings.retriever_k,
    )
    turn.chunks = [hit.id for hit in turn.candidates.hits]
    turn.timings["embed_s"] = seconds(turn.candidates.embed_s)
    turn.timings["search_s"] = turn.seconds_since(began)


STEP = Step("retrieve", retrieve)
