"""Cut blocks into the pieces that passages consist of: short blocks, sentences of longer ones, words at worst."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.lib.sentences import sentences
from app.library.parsers.blocks import Block
from app.library.pipeline.tokens import TokenCounter

_WORD = re.compile(r"\S+\s*")
# A longer word is cut: no model treats more as one token.
_WORD_CHARS = 100


@dataclass(frozen=True, slots=True)
class Piece:
    """Characters start to end of the text of block number `block`."""

    block: int
    start: int
    end: int
    tokens: int


def pieces_of(block: Block, index: int, tokens: int, limit: int, counter: TokenCounter) -> list[Piece]:
    """Return pieces of half of `limit` tokens at most (words: a third), so that headings and an overlap fit beside
    each.
    """
    if tokens <= limit // 2:
        return [Piece(index, 0, len(block.text), tokens)]
    found: list[Piece] = []
    for start, end in _units(block):
        size = counter.count(block.text[start:end])
        if size <= limit // 2:
            found.append(Piece(index, start, end, size))
        else:
            found.extend(_word_groups(block.text, index, start, end, limit // 3, counter))
    return found


def _units(block: Block) -> Sequence[tuple[int, int]]:
    if block.kind == "code":
        return [(found.start(), found.end()) for found in re.finditer(r"[^\n]*\S[^\n]*", block.text)]
    return sentences(block.text)


def _word_groups(text: str, index: int, start: int, end: int, limit: int, counter: TokenCounter) -> Iterator[Piece]:
    """Yield runs of words, each of `limit` tokens at most."""
    first, behind, total = start, start, 0
    for word_start, word_end in _words(text, start, end, limit):
        size = counter.count(text[word_start:word_end])
        if total and total + size > limit:
            yield Piece(index, first, behind, total)
            first, total = word_start, 0
        total += size
        behind = word_end
    if behind > first:
        yield Piece(index, first, behind, total)


def _words(text: str, start: int, end: int, limit: int) -> Iterator[tuple[int, int]]:
    # A character is at most one token, or two of an unknown model; a limit of a third leaves room for those.
    longest = min(_WORD_CHARS, limit)
    for word in _WORD.finditer(text, start, end):
        behind = word.start() + len(word.group().rstrip())
        for first in range(word.start(), behind, longest):
            yield first, min(first + longest, behind)


def last_sentences(piece: Piece, text: str, room: int, counter: TokenCounter) -> list[Piece]:
    """Return the last whole sentences of a piece that fit into `room` tokens together."""
    kept: list[Piece] = []
    for start, end in reversed(sentences(text[piece.start : piece.end])):
        size = counter.count(text[piece.start + start : piece.start + end])
        room -= size
        if room < 0:
            break
        kept.append(Piece(piece.block, piece.start + start, piece.start + end, size))
    return kept[::-1]


def last_words(piece: Piece, text: str, room: int, counter: TokenCounter) -> list[Piece]:
    """Return the last words of a piece that fit into `room` tokens together."""
    kept: list[tuple[int, int, int]] = []
    # A word has at least one token, so at most `room` words fit.
    words = text[max(piece.start, piece.end - room * _WORD_CHARS) : piece.end]
    offset = piece.end - len(words)
    for start, end in reversed(list(_words(words, 0, len(words), room))[1:][-room:]):
        size = counter.count(words[start:end])
        room -= size
        if room < 0:
            break
        kept.append((start, end, size))
    if not kept:
        return []
    return [Piece(piece.block, offset + kept[-1][0], offset + kept[0][1], sum(size for _, _, size in kept))]
