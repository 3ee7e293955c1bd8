import zlib
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from app.errors import NotFound
from app.lib.times import time_text
from app.library.choices import VersionState
from app.library.models import Chunk, Document, DocumentVersion, VersionText
from app.library.parsers.blocks import Block, block_starts, blocks_from_json
from app.library.selectors.documents import document_name, document_url, version_shown

# Characters that a reader sees around a passage: a few screens.
AROUND_CHARS = 12_000
BLOCKS_PER_PAGE = 200


def chunk_list(*, organisation: UUID, document: UUID) -> QuerySet[Chunk]:
    """Return the passages of the version that is shown, in order. Raises NotFound."""
    version = version_shown(organisation=organisation, document=document)
    return (
        Chunk.objects.filter(organisation=organisation, version=version).select_related("version").order_by("position")
    )


def passage_payload(chunk: Chunk, document: Document) -> dict[str, Any]:
    """Return a Passage of the API; its version is loaded."""
    return {
        "id": str(chunk.id),
        "n": chunk.position + 1,
        "document": {"id": str(document.id), "name": document_name(document), "url": document_url(document.id)},
        "version": chunk.version.number,
        "text": chunk.text,
        "place": chunk.place,
        "score": None,
        "as_of": time_text(chunk.version.fetched),
    }


def text_read(
    *, organisation: UUID, document: UUID, around: UUID | None = None, first: int = 0, limit: int = BLOCKS_PER_PAGE
) -> dict[str, Any]:
    """Return blocks of a document's text: those around a passage, or `limit` from number `first` on.

    The text is that of the version that is shown; around a passage it is that of the passage's own version, which an
    answer may cite long after another version replaced it.

    Raises:
        NotFound: no such document or passage here, or no text yet.
    """
    version = version_shown(organisation=organisation, document=document)
    chunk: Chunk | None = None
    if around is not None:
        chunk = _passage_get(version, around)
        version = chunk.version
    stored = VersionText.objects.filter(organisation=organisation, version=version).first()
    if stored is None:
        raise NotFound(message="This document has no text yet.")
    blocks = blocks_from_json(zlib.decompress(stored.blocks)).blocks
    starts = block_starts(blocks)
    mark: list[int] | None = None
    if chunk is not None:
        mark = [chunk.start, chunk.end]
        first, end = _around(starts, chunk.start, chunk.end)
    else:
        end = min(len(blocks), first + limit)
    page = [_block_payload(blocks[number], starts[number], mark) for number in range(first, end)]
    return {
        "blocks": page,
        "mark": mark,
        "first": first,
        "total": len(blocks),
        "next": end if end < len(blocks) else None,
        "version": version.number,
        "media_type": version.media_type,
        "pages": version.pages,
    }


def _passage_get(shown: DocumentVersion, passage: UUID) -> Chunk:
    """Return a passage of the version that is shown, or of a retired one."""
    versions = Q(version=shown) | Q(version__state=VersionState.RETIRED)
    rows = Chunk.objects.filter(versions, organisation=shown.organisation_id, document=shown.document_id)
    chunk = rows.select_related("version").filter(pk=passage).first()
    if chunk is None:
        raise NotFound(message="This passage is not in the document any more.")
    return chunk


def _around(starts: Sequence[int], start: int, end: int) -> tuple[int, int]:
    """Return the first block and the one after the last, with AROUND_CHARS on either side of a passage."""
    first = bisect_right(starts, max(0, start - AROUND_CHARS)) - 1
    return max(0, first), bisect_right(starts, end + AROUND_CHARS)


def _block_payload(block: Block, start: int, mark: Sequence[int] | None) -> dict[str, Any]:
    end = start + len(block.text)
    return {
        "kind": block.kind,
        "text": block.text,
        "level": block.level,
        "heading": list(block.heading),
        "page": block.page,
        "rows": list(block.rows) if block.rows else None,
        "sheet": block.sheet,
        "slide": block.slide,
        "time": list(block.time) if block.time else None,
        "words": block.words,
        "start": start,
        "end": end,
        # Only for blocks of the marked passage: boxes take twice as much as the text.
        "lines": _lines(block, start, end) if mark and start < mark[1] and end > mark[0] else [],
    }


def _lines(block: Block, start: int, end: int) -> list[dict[str, Any]]:
    bounds = [*(start + at for at in block.line_starts), end]
    lines = zip(pairwise(bounds), block.boxes, strict=True)
    return [{"start": first, "end": following, "box": list(box)} for (first, following), box in lines]
