from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from ninja import Router

from app.accounts.auth import ApiRequest, async_policy
from app.accounts.choices import Role, Scope
from app.bots.selectors import bot_get
from app.errors import Invalid, NotFound
from app.lib.times import time_text
from app.library.models import Source
from app.library.selectors.documents import document_url
from app.retrieval.schemas import SearchIn, SearchOut
from app.retrieval.search import PassageHit, Searcher, passages_search

router = Router(tags=["search"])


@router.post("/search", auth=async_policy(Role.VIEWER, Scope.SEARCH), response=SearchOut)
async def search_passages(request: ApiRequest, search: SearchIn) -> Any:
    """Return the passages nearest to a query, in rank order, with the score of each stage."""
    caller = request.caller
    organisation = caller.organisation_id
    query = search.query.replace("\0", "").strip()
    if not query:
        raise Invalid("question_empty")
    bot, sources = None, None
    if search.bot is not None or search.sources is not None:
        bot, sources = await sync_to_async(_scope)(organisation, search)
    result = await passages_search(
        organisation=organisation,
        query=query,
        sources=sources,
        limit=search.limit,
        searcher=Searcher(organisation, caller.api_key_id, caller.user_id, bot),
    )
    hits = [_hit(n, hit) for n, hit in enumerate(result.hits, 1)]
    timings = {name: round(seconds, 4) for name, seconds in result.timings.items()}
    return {"hits": hits, "support": round(result.support, 4), "timings": timings}


def _scope(organisation: UUID, search: SearchIn) -> tuple[UUID | None, list[UUID] | None]:
    """Return the id of the named bot, and the sources to search, None for all.

    Raises:
        NotFound: the bot or a source is not the organisation's.
    """
    bot_sources: set[UUID] | None = None
    identity = None
    if search.bot is not None:
        bot = bot_get(organisation=organisation, slug=search.bot)
        identity = bot.pk
        bot_sources = set(bot.sources.values_list("pk", flat=True)) or None
    if search.sources is None:
        return identity, None if bot_sources is None else sorted(bot_sources)
    requested = set(search.sources)
    present = set(Source.objects.filter(organisation=organisation, pk__in=requested).values_list("pk", flat=True))
    if present != requested:
        raise NotFound(message="There is no such source.")
    return identity, sorted(present if bot_sources is None else present & bot_sources)


def _hit(n: int, hit: PassageHit) -> dict[str, Any]:
    return {
        "id": hit.id,
        "n": n,
        "document": {"id": hit.document, "name": hit.document_name, "url": document_url(hit.document)},
        "version": hit.version_number,
        "text": hit.text,
        "place": hit.place,
        "score": hit.score,
        "scores": {"dense": hit.dense, "words": hit.words, "fused": hit.score},
        "as_of": time_text(hit.as_of),
    }
