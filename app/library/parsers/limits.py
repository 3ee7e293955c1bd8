"""Limits on the cost of reading one file."""

from dataclasses import dataclass

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits for one file.

    memory_bytes: address space of the child that reads the file, libraries included.
    expanded_bytes: of everything inside a compressed file together. expanded_ratio: of one part to its packed size,
    checked only above a mebibyte. text_chars: of the text found. blocks, depth: pieces, and nesting of elements.
    members, member_depth: files inside a file that become documents, and how deep they may be in each other.
    """

    memory_bytes: int = 480 * MEBIBYTE
    wall_s: float = 60.0
    cpu_s: int = 60
    expanded_bytes: int = 200 * MEBIBYTE
    expanded_ratio: int = 200
    text_chars: int = 20_000_000
    blocks: int = 500_000
    pages: int = 10_000
    depth: int = 200
    members: int = 2_000
    member_depth: int = 3


DEFAULT = Limits()
