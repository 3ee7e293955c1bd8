"""Read a file in a child process that may use little memory and time."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from app.ingest.blocks import ChunkDraft, Parsed, blocks_from_json
from app.ingest.limits import DEFAULT, Limits


@dataclass(frozen=True)
class ParsedChunks:
    """blocks_json: `blocks_to_json(parsed)` as the child wrote it, to be stored as it is."""

    media_type: str
    pages: int | None
    title: str | None
    warnings: tuple[str, ...]
    text_chars: int
    drafts: list[ChunkDraft]
    blocks_json: bytes

    @cached_property
    def parsed(self) -> Parsed:
        return blocks_from_json(self.blocks_json)


def parse_and_chunk(
    path: Path,
    name: str,
    *,
    target_tokens: int = 500,
    overlap_tokens: int = 50,
    max_tokens: int,
    counter: str = "all-MiniLM-L6-v2",
    limits: Limits = DEFAULT,
    should_stop: Callable[[], bool] | None = None,
) -> ParsedChunks:
    """Safe from any thread. Errors: ParseError with any code of docs/parsers.md.

    counter: name of the embedding model whose tokens count (see `tokens.counter_for`).
    """
    raise NotImplementedError
