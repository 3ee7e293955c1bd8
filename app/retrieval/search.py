"""Search for passages: embed the question, query Qdrant once, fuse, and read each hit again from PostgreSQL.

`candidates_find` reads no row but the choice of the embedding model, every other second: a chat turn runs
PASSAGES_SQL in a transaction of its own. All other callers use `passages_search`, which does both.
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
from app.llm.embeddings import EmbeddingSpace
from app.llm.models_kept import question_embedder
from app.plans.caps import cap_check, cap_refusal, is_cap
from app.plans.ledger import SEARCH_CHARGED
from app.retrieval.answerability import is_out_of_domain, support_measure
from app.retrieval.fusion import Hit, candidates_fuse, cosine_scale
from app.retrieval.index import index_reader
from app.retrieval.language import language_detect
from app.retrieval.sparse import query_encode

SUPPORTED_FROM = 0.5
# Hits beyond the limit, in case the re-read drops some: a document that is being replaced or deleted.
SPARE = 10

# A file inside a mail or archive is named with it: citations keep the name.
DOCUMENT_NAME_SQL = """left(d.name || coalesce(
    ' (in ' || (SELECT holder.name FROM library_document holder WHERE holder.id = d.parent_id) || ')', ''), 255)"""

# The last check (design §3): only chunks of active versions of this organisation's documents in these sources. The
# parameters come from `passages_parameters`; `passage_build` reads a row.
PASSAGES_SQL = f"""
SELECT c.id, c.text, c.embed_text, c.place, d.id, {DOCUMENT_NAME_SQL}, d.source_id, v.id, v.number, v.fetched
FROM (SELECT * FROM library_chunk WHERE id = ANY(%(ids)s::uuid[]) OFFSET 0) c
JOIN library_document d ON d.id = c.document_id AND d.active_version_id = c.version_id
JOIN library_documentversion v ON v.id = c.version_id
WHERE c.organisation_id = %(organisation)s AND d.organisation_id = %(organisation)s
  AND (%(sources)s::uuid[] IS NULL OR d.source_id = ANY(%(sources)s::uuid[]))
"""  # noqa: S608 (no part comes from outside)

CHARGED_SQL = f"WITH {SEARCH_CHARGED} {PASSAGES_SQL}"

Id = UUID | str


@dataclass(frozen=True, slots=True)
class CandidateHits:
    """The hits of the vector store for a question, best first, before they are read again from the database.

    `dense` is False when the embedding model did not respond and only words were searched.
    """

    question: str
    hits: list[Hit]
    cosine: float | None
    known_language: bool
    embed_s: float
    search_s: float
    vector_remembered: bool = False

    @property
    def dense(self) -> bool:
        return self.cosine is not None

    def support(self, passages: Sequence[str]) -> float:
        """Return the likelihood that these passages contain an answer: 0 to 1, SUPPORTED_FROM is the threshold.

        The best passage comes first, each with its headings (Chunk.embed_text), which often contain a question's words.
        """
        if not passages:
            return 0.0
        return support_measure(
            question=self.question, passage=passages[0], cosine=self.cosine, known=self.known_language
        )

    def out_of_domain(self, passages: Sequence[str]) -> bool:
        """Return whether these passages are on another subject than the question: far below the threshold."""
        return bool(passages) and is_out_of_domain(
            question=self.question, passage=passages[0], cosine=self.cosine, known=self.known_language
        )


@dataclass(frozen=True, slots=True)
class PassageHit:
    """A passage read from PostgreSQL. `place` is a Place of the API; `dense` a cosine, `words` a BM25 score.

    `embed_text` is the embedded text, which includes the headings.
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
    """The caller of a search, for the ledger; `bot` when its sources are searched."""

    organisation: UUID
    api_key: UUID | None = None
    user: UUID | None = None
    bot: UUID | None = None


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The result of a search. Seconds in `timings`: embed_s, search_s, read_s."""

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
) -> CandidateHits:
    """Find up to `limit` + SPARE hits. `languages`: those of the organisation's documents, when known.

    Raises:
        Upstream: search_unavailable; embeddings_unavailable, when the model has not responded since the start.
    """
    started = time.perf_counter()
    # A model and its index belong together, also while the operator changes the model.
    embedder = await question_embedder()
    space = await embedder.space()
    remembered = embedder.remembers(query)
    try:
        dense = await embedder.embed_question(query)
    except Upstream:
        # Words alone find most passages, which is better than an error.
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
    return CandidateHits(
        question=query,
        hits=hits,
        cosine=None if dense is None else cosine_scale(nearest, space.unrelated),
        known_language=_is_known(query, space),
        embed_s=embedded - started,
        search_s=time.perf_counter() - embedded,
        vector_remembered=remembered,
    )


def _is_known(query: str, space: EmbeddingSpace) -> bool:
    """Return whether the model knows the query's language; models that we do not ship are assumed to know all."""
    model = MODELS.get(space.model)
    return model is None or language_detect(query, hint="en") in model.languages


def passages_parameters(
    *, organisation: Id, found: CandidateHits, sources: Sequence[Id] | None = None
) -> dict[str, Any]:
    """Return the parameters of PASSAGES_SQL."""
    return {
        "ids": [hit.id for hit in found.hits],
        "organisation": str(organisation),
        "sources": None if sources is None else [str(source) for source in sources],
    }


def passages_order(rows: Iterable[Sequence[Any]], *, found: CandidateHits, limit: int) -> list[PassageHit]:
    """Return the rows of PASSAGES_SQL as passages in the order of the hits."""
    by_id = {str(row[0]): row for row in rows}
    passages = (passage_build(by_id[hit.id], hit) for hit in found.hits if hit.id in by_id)
    return [passage for passage, _ in zip(passages, range(limit), strict=False)]


def passage_build(row: Sequence[Any], hit: Hit) -> PassageHit:
    chunk, text, embed_text, place, document, name, source, version, number, fetched = row
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
        as_of=fetched,
        score=hit.score,
        dense=hit.dense,
        words=hit.words,
    )


async def passages_read(
    *,
    organisation: Id,
    found: CandidateHits,
    sources: Sequence[Id] | None = None,
    limit: int,
    searcher: Searcher | None = None,
) -> list[PassageHit]:
    """Read the hits from PostgreSQL; those missing there for this organisation and these sources are dropped.

    searcher: the caller who is charged for the search, in the same statement.

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
        # If a statement is sent again after its connection broke, it may have been executed and charged already.
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
    """Find, fuse and read passages. searcher: the caller who is charged; None: nobody.

    Raises:
        Upstream: search_unavailable or embeddings_unavailable.
        RefdeskError: quota_used_up.
    """
    if searcher is not None:
        cap_check(organisation=searcher.organisation, api_key=searcher.api_key)
    found = await candidates_find(
        organisation=organisation, query=query, sources=sources, languages=languages, limit=limit
    )
    started = time.perf_counter()
    hits = await passages_read(organisation=organisation, found=found, sources=sources, limit=limit, searcher=searcher)
    timings = {"embed_s": found.embed_s, "search_s": found.search_s, "read_s": time.perf_counter() - started}
    return SearchResult(hits, found.support([hit.embed_text for hit in hits]), timings)
