import zlib
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from app.errors import NotFound
from app.lib.times import time_text
from app.library.models import Chunk, Document, VersionText
from app.library.parsers.blocks import Block, block_starts, blocks_from_json
from app.library.selectors.documents import document_url, version_shown

# What a reader sees around a passage, in characters: a few screens.
AROUND_CHARS = 12_000
BLOCKS_PER_PAGE = 200


def chunk_list(*, organisation: UUID, document: UUID) -> QuerySet[Chunk]:
    """Passages of the version that is shown, in order. Raises NotFound."""
    version = version_shown(organisation=organisation, document=document)
    return (
        Chunk.objects.filter(organisation=organisation, version=version).select_related("version").order_by("position")
    )


def passage_shape(chunk: Chunk, document: Document) -> dict[str, Any]:
    """A Passage of the API; its version is loaded."""
    return {
        "id": str(chunk.id),
        "n": chunk.position + 1,
        "document": {"id": str(document.id), "name": document.name, "url": document_url(document.id)},
        "version": chunk.version.number,
        "text": chunk.text,
        "place": chunk.place,
        "score": None,
        "as_of": time_text(chunk.version.created),
    }


def text_read(
    *, organisation: UUID, document: UUID, around: UUID | None = None, first: int = 0, limit: int = BLOCKS_PER_PAGE
) -> dict[str, Any]:
    """Blocks of the text that is shown: those around a passage, or `limit` from number `first` on.

    Raises:
        NotFound: no such document or passage here, or no text yet.
    """
    version = version_shown(organisation=organisation, document=document)
    stored = VersionText.objects.filter(organisation=organisation, version=version).first()
    if stored is None:
        raise NotFound(message="This document has no text yet.")
    blocks = blocks_from_json(zlib.decompress(stored.blocks)).blocks
    starts = block_starts(blocks)
    mark: list[int] | None = None
    if around is not None:
        chunk = Chunk.objects.filter(organisation=organisation, version=version, pk=around).first()
        if chunk is None:
            raise NotFound(message="This passage is not in the document any more.")
        mark = [chunk.start, chunk.end]
        first, end = _around(starts, chunk.start, chunk.end)
    else:
        end = min(len(blocks), first + limit)
    shown = [_block_shape(blocks[number], starts[number], mark) for number in range(first, end)]
    return {
        "blocks": shown,
        "mark": mark,
        "first": first,
        "total": len(blocks),
        "next": end if end < len(blocks) else None,
    }


def _around(starts: Sequence[int], start: int, end: int) -> tuple[int, int]:
    """Blocks from and up to, with as many characters around a passage on either side."""
    first = bisect_right(starts, max(0, start - AROUND_CHARS)) - 1
    return max(0, first), bisect_right(starts, end + AROUND_CHARS)


def _block_shape(block: Block, start: int, mark: Sequence[int] | None) -> dict[str, Any]:
    end = start + len(block.text)
    return {
        "kind": block.kind,
        "text": block.text,
        "level": block.level,
        "heading": list(block.heading),
        "page": block.page,
        "rows": list(block.rows) if block.rows else None,
        "start": start,
        "end": end,
        # Only where a passage is to be drawn on its page: boxes are twice as long as the text.
        "lines": _lines(block, start, end) if mark and start < mark[1] and end > mark[0] else [],
    }


def _lines(block: Block, start: int, end: int) -> list[dict[str, Any]]:
    bounds = [*(start + at for at in block.line_starts), end]
    lines = zip(pairwise(bounds), block.boxes, strict=True)
    return [{"start": first, "end": following, "box": list(box)} for (first, following), box in lines]
