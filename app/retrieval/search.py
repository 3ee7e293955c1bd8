"""Passages for a question: embed it, one request to Qdrant, fuse, and read each hit again from PostgreSQL.

`candidates_find` does not touch the database: a chat turn runs PASSAGES_SQL in a transaction of its own. Everybody
else calls `passages_search`, which does both.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from app.errors import Upstream
from app.lib.async_sql import fetch
from app.lib.ids import new_id
from app.llm.embedding_models import MODELS
from app.llm.embeddings import EmbeddingSpace, question_embedder
from app.plans.caps import cap_check, cap_refusal, is_cap
from app.plans.ledger import SEARCH_CHARGED
from app.retrieval.answerability import is_off_subject, support_of
from app.retrieval.fusion import Hit, candidates_fuse, cosine_scale
from app.retrieval.index import index_reader
from app.retrieval.language import language_of
from app.retrieval.sparse import query_encode

SUPPORTED_FROM = 0.5
# Hits beyond the limit, in case the re-read drops some: a document that is being replaced or deleted.
SPARE = 10

# The last gate (design §3): only chunks of active versions of this organisation's documents in these sources. The
# parameters are `passages_parameters`, a row is read by `passage_of`.
PASSAGES_SQL = """
SELECT c.id, c.text, c.embed_text, c.place, d.id, d.name, d.source_id, v.id, v.number, v.created
FROM (SELECT * FROM library_chunk WHERE id = ANY(%(ids)s::uuid[]) OFFSET 0) c
JOIN library_document d ON d.id = c.document_id AND d.active_version_id = c.version_id
JOIN library_documentversion v ON v.id = c.version_id
WHERE c.organisation_id = %(organisation)s AND d.organisation_id = %(organisation)s
  AND (%(sources)s::uuid[] IS NULL OR d.source_id = ANY(%(sources)s::uuid[]))
"""

CHARGED_SQL = f"WITH {SEARCH_CHARGED} {PASSAGES_SQL}"

Id = UUID | str


@dataclass(frozen=True, slots=True)
class Found:
    """What the vector store has for a question, best first; not yet read again from the database.

    `dense` is False when the embedding model did not answer and only words were searched.
    """

    question: str
    hits: list[Hit]
    cosine: float | None
    known_language: bool
    embed_s: float
    search_s: float

    @property
    def dense(self) -> bool:
        return self.cosine is not None

    def support(self, passages: Sequence[str]) -> float:
        """How likely these passages hold an answer: 0 to 1, SUPPORTED_FROM is the border.

        Best first, each with its headings (Chunk.embed_text): a question's words often stand only there.
        """
        if not passages:
            return 0.0
        return support_of(question=self.question, passage=passages[0], cosine=self.cosine, known=self.known_language)

    def out_of_domain(self, passages: Sequence[str]) -> bool:
        """Whether these passages are on another subject than the question: far below the border, hardly an error."""
        return bool(passages) and is_off_subject(
            question=self.question, passage=passages[0], cosine=self.cosine, known=self.known_language
        )


@dataclass(frozen=True, slots=True)
class PassageHit:
    """A passage as PostgreSQL has it now. `place` is a Place of the API; `dense` a cosine, `words` a BM25 score.

    `embed_text` is the text below its headings, as it was embedded.
    """

    id: UUID
    text: str
    embed_text: str
    place: dict[str, Any]
    document: UUID
    document_name: str
    source: UUID
    version: UUID
    version_number: int
    as_of: datetime
    score: float
    dense: float | None
    words: float | None


@dataclass(frozen=True, slots=True)
class Searcher:
    """Who searches, for the ledger; `bot` when its sources are searched."""

    organisation: UUID
    api_key: UUID | None = None
    user: UUID | None = None
    bot: UUID | None = None


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Seconds in `timings`: embed_s, search_s, read_s."""

    hits: list[PassageHit]
    support: float
    timings: dict[str, float]

    @property
    def supported(self) -> bool:
        return self.support >= SUPPORTED_FROM


async def candidates_find(
    *,
    organisation: Id,
    query: str,
    sources: Sequence[Id] | None = None,
    languages: Iterable[str] = (),
    limit: int = 8,
) -> Found:
    """Up to `limit` + SPARE hits. `languages`: of the organisation's documents, when known.

    Raises:
        Upstream: search_unavailable; embeddings_unavailable, when the model has not answered since the start.
    """
    begun = time.perf_counter()
    embedder = question_embedder()
    space = await embedder.space()
    try:
        dense = await embedder.embed_question(query)
    except Upstream:
        # Words alone find most of what is there: better than no answer.
        dense = None
    embedded = time.perf_counter()
    candidates = await index_reader(space).search(
        organisation=str(organisation),
        dense=dense,
        words=query_encode(query, languages=languages),
        sources=None if sources is None else [str(source) for source in sources],
    )
    hits = candidates_fuse(candidates, limit=limit + SPARE, unrelated=space.unrelated)
    nearest = max((hit.score for hit in candidates.dense), default=space.unrelated)
    return Found(
        question=query,
        hits=hits,
        cosine=None if dense is None else cosine_scale(nearest, space.unrelated),
        known_language=_is_known(query, space),
        embed_s=embedded - begun,
        search_s=time.perf_counter() - embedded,
    )


def _is_known(query: str, space: EmbeddingSpace) -> bool:
    """A model that is not ours is taken to know every language."""
    model = MODELS.get(space.model)
    return model is None or language_of(query, hint="en") in model.languages


def passages_parameters(*, organisation: Id, found: Found, sources: Sequence[Id] | None = None) -> dict[str, Any]:
    """For PASSAGES_SQL."""
    return {
        "ids": [hit.id for hit in found.hits],
        "organisation": str(organisation),
        "sources": None if sources is None else [str(source) for source in sources],
    }


def passages_order(rows: Iterable[Sequence[Any]], *, found: Found, limit: int) -> list[PassageHit]:
    """The rows of PASSAGES_SQL as passages in the order of the hits."""
    by_id = {str(row[0]): row for row in rows}
    passages = (passage_of(by_id[hit.id], hit) for hit in found.hits if hit.id in by_id)
    return [passage for passage, _ in zip(passages, range(limit), strict=False)]


def passage_of(row: Sequence[Any], hit: Hit) -> PassageHit:
    chunk, text, embed_text, place, document, name, source, version, number, created = row
    return PassageHit(
        id=chunk,
        text=text,
        embed_text=embed_text,
        place=place,
        document=document,
        document_name=name,
        source=source,
        version=version,
        version_number=number,
        as_of=created,
        score=hit.score,
        dense=hit.dense,
        words=hit.words,
    )


async def passages_read(
    *,
    organisation: Id,
    found: Found,
    sources: Sequence[Id] | None = None,
    limit: int,
    searcher: Searcher | None = None,
) -> list[PassageHit]:
    """The hits as PostgreSQL has them; those that it does not have for this organisation and these sources are gone.

    searcher: who is charged for the search, in the same statement.

    Raises:
        RefdeskError: quota_used_up.
    """
    if not found.hits and searcher is None:
        return []
    values = passages_parameters(organisation=organisation, found=found, sources=sources)
    statement = PASSAGES_SQL
    if searcher is not None:
        statement = CHARGED_SQL
        values |= {"entry": new_id(), "bot": searcher.bot, "api_key": searcher.api_key, "user": searcher.user}
    try:
        rows = await fetch(statement, values)
    except psycopg.errors.CheckViolation as error:
        if searcher is None or not is_cap(error):
            raise
        raise await cap_refusal(organisation=searcher.organisation, api_key=searcher.api_key) from None
    except psycopg.errors.UniqueViolation:
        # Sent again after its connection broke, it had been carried out and charged.
        rows = await fetch(PASSAGES_SQL, values)
    return passages_order(rows, found=found, limit=limit)


async def passages_search(
    *,
    organisation: Id,
    query: str,
    sources: Sequence[Id] | None = None,
    languages: Iterable[str] = (),
    limit: int = 8,
    searcher: Searcher | None = None,
) -> SearchResult:
    """Find, fuse and read again. searcher: who is charged for it; None: nobody.

    Raises:
        Upstream: search_unavailable or embeddings_unavailable.
        RefdeskError: quota_used_up.
    """
    if searcher is not None:
        cap_check(organisation=searcher.organisation, api_key=searcher.api_key)
    found = await candidates_find(
        organisation=organisation, query=query, sources=sources, languages=languages, limit=limit
    )
    begun = time.perf_counter()
    hits = await passages_read(organisation=organisation, found=found, sources=sources, limit=limit, searcher=searcher)
    timings = {"embed_s": found.embed_s, "search_s": found.search_s, "read_s": time.perf_counter() - begun}
    return SearchResult(hits, found.support([hit.embed_text for hit in hits]), timings)
