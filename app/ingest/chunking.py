"""Cut a parsed document into passages along its structure."""

from app.ingest.blocks import ChunkDraft, Parsed
from app.ingest.tokens import TokenCounter


def chunk(
    parsed: Parsed, *, target_tokens: int = 500, overlap_tokens: int = 50, max_tokens: int, count: TokenCounter
) -> list[ChunkDraft]:
    """`max_tokens` is what the embedding model reads, without its special tokens (254 for MiniLM)."""
    raise NotImplementedError
