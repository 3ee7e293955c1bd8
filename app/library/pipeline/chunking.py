"""Cut a parsed document into passages along its structure.

Every passage is a slice of the version's full text. It ends where a page, slide, sheet or section ends, or where the
next piece does not fit; small sections under one parent share a passage. Within a section the next passage repeats
the last sentences of the one before. A passage stays on one page, so that its place is exact; only a paragraph that
continues on the next page has its last words of the first page repeated.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from app.library.parsers.blocks import Block, Box, ChunkDraft, Parsed, Place, block_starts, embed_text, separator
from app.library.pipeline.splitting import Piece, last_sentences, last_words, pieces_of
from app.library.pipeline.tokens import TokenCounter

# Titles may take this share of a passage; the outer ones are left out first.
_CONTEXT_SHARE = 0.25
# A passage this full takes no beginning of a section that does not fit as a whole.
_FULL_ENOUGH = 0.5
_ENDS = frozenset('.!?…。！？:;"”)')


@dataclass(slots=True)
class _Passage:
    """The passage being filled. repeated: number of pieces at its start that repeat the passage before."""

    context: tuple[str, ...]
    context_tokens: int
    pieces: list[Piece] = field(default_factory=list)
    repeated: int = 0
    tokens: int = 0

    def add(self, piece: Piece) -> None:
        self.pieces.append(piece)
        self.tokens += piece.tokens


def chunk(
    parsed: Parsed, *, target_tokens: int = 500, overlap_tokens: int = 50, max_tokens: int, count: TokenCounter
) -> list[ChunkDraft]:
    """Cut a parsed document into passages.

    max_tokens: of the embedding model, without its special tokens (254 for MiniLM).
    """
    chunker = _Chunker(parsed, min(target_tokens, max_tokens), overlap_tokens, count)
    return [chunker.draft(position, passage) for position, passage in enumerate(chunker.passages())]


class _Chunker:
    def __init__(self, parsed: Parsed, limit: int, overlap: int, counter: TokenCounter) -> None:
        self.blocks = blocks = parsed.blocks
        self.page_labels = parsed.page_labels
        self.limit = limit
        # Repeating more than a quarter would make the store grow without better results.
        self.overlap = min(overlap, limit // 4)
        self.counter = counter
        self.starts = block_starts(blocks)
        self.tokens = [counter.count(block.text) for block in blocks]
        self.section_tokens = _section_tokens(blocks, self.tokens)
        self.contexts: dict[tuple[str, ...], tuple[tuple[str, ...], int]] = {}

    def passages(self) -> Iterator[_Passage]:
        now: _Passage | None = None
        for index, block in enumerate(self.blocks):
            if now is not None and self.ends_before(now, index):
                carried = self.take_headings(now)
                yield now
                runs_on = not carried and self.runs_on(now, index)
                now = self.begin(index, carried, now if runs_on else None, words_only=True)
            for piece in pieces_of(block, index, self.tokens[index], self.limit, self.counter):
                if now is None:
                    now = self.begin(index, [], None)
                while now.pieces and now.context_tokens + now.tokens + piece.tokens > self.limit:
                    carried = self.take_headings(now)
                    yield now
                    now = self.begin(index, carried, None if carried else now, following=piece)
                now.add(piece)
        if now is not None:
            yield now

    def ends_before(self, now: _Passage, index: int) -> bool:
        """Return whether the next block ends the passage by its position, not because the passage is full."""
        last, block = self.blocks[now.pieces[-1].block], self.blocks[index]
        if (block.page, block.slide, block.sheet) != (last.page, last.slide, last.sheet):
            return True
        if block.kind != "heading" or last.kind == "heading":
            return False
        parent = block.heading[:-1]
        first = self.blocks[now.pieces[now.repeated].block].heading
        if not parent or first[: len(parent)] != parent:
            return True
        used = now.context_tokens + now.tokens
        introduces = last.heading == parent and used < self.limit * _FULL_ENOUGH
        return not introduces and used + self.section_tokens[index] > self.limit

    def runs_on(self, now: _Passage, index: int) -> bool:
        last, block = self.blocks[now.pieces[-1].block], self.blocks[index]
        return last.kind == block.kind == "paragraph" and last.text[-1] not in _ENDS

    def take_headings(self, now: _Passage) -> list[Piece]:
        """Take the headings at the end of a passage, which belong to what follows; a passage of headings alone keeps
        them.
        """
        kept = len(now.pieces)
        while kept > now.repeated and self.blocks[now.pieces[kept - 1].block].kind == "heading":
            kept -= 1
        if kept == now.repeated:
            return []
        carried = now.pieces[kept:]
        del now.pieces[kept:]
        now.tokens -= sum(piece.tokens for piece in carried)
        return carried

    def begin(
        self,
        index: int,
        carried: list[Piece],
        before: _Passage | None,
        *,
        following: Piece | None = None,
        words_only: bool = False,
    ) -> _Passage:
        """Begin a passage.

        before: the passage whose end is repeated. following: the piece that must fit beside what is repeated.
        """
        first = self.blocks[carried[0].block if carried else index]
        context, tokens = self.context(first.heading[:-1] if first.kind == "heading" else first.heading)
        passage = _Passage(context, tokens)
        if before is not None:
            room = min(self.overlap, self.limit - tokens - (following.tokens if following else self.limit // 2))
            for piece in self.repeated(before, room, words_only):
                passage.add(piece)
            passage.repeated = len(passage.pieces)
        for piece in carried:
            passage.add(piece)
        return passage

    def repeated(self, before: _Passage, room: int, words_only: bool) -> list[Piece]:
        last = before.pieces[-1]
        # Headings alone are never repeated, which also ends the loop that begins passages until one has room.
        if room <= 0 or self.blocks[last.block].kind not in ("paragraph", "list_item"):
            return []
        if words_only:
            return last_words(last, self.blocks[last.block].text, room, self.counter)
        kept: list[Piece] = []
        for piece in reversed(before.pieces[before.repeated :]):
            block = self.blocks[piece.block]
            if block.kind not in ("paragraph", "list_item") or block.page != self.blocks[last.block].page:
                break
            found = last_sentences(piece, block.text, room, self.counter)
            kept[:0] = found
            room -= sum(one.tokens for one in found)
            if not found or found[0].start != piece.start:
                break
        return kept or last_words(last, self.blocks[last.block].text, room, self.counter)

    def context(self, titles: tuple[str, ...]) -> tuple[tuple[str, ...], int]:
        """Return the titles that fit, and their tokens."""
        if titles not in self.contexts:
            self.contexts[titles] = (), 0
            for first in range(len(titles)):
                tokens = self.counter.count(embed_text(titles[first:], ""))
                if tokens <= self.limit * _CONTEXT_SHARE:
                    self.contexts[titles] = titles[first:], tokens
                    break
        return self.contexts[titles]

    def draft(self, position: int, passage: _Passage) -> ChunkDraft:
        first, last = passage.pieces[0], passage.pieces[-1]
        return ChunkDraft(
            position=position,
            text=self.text(first, last),
            tokens=passage.context_tokens + passage.tokens,
            place=self.place(passage),
            start=self.starts[first.block] + first.start,
            end=self.starts[last.block] + last.end,
            context=passage.context,
        )

    def text(self, first: Piece, last: Piece) -> str:
        if first.block == last.block:
            return self.blocks[first.block].text[first.start : last.end]
        parts = [self.blocks[first.block].text[first.start :]]
        for index in range(first.block + 1, last.block + 1):
            text = self.blocks[index].text
            parts.append(separator(self.blocks[index - 1], self.blocks[index]))
            parts.append(text[: last.end] if index == last.block else text)
        return "".join(parts)

    def place(self, passage: _Passage) -> Place:
        own = passage.pieces[passage.repeated :]
        blocks = [self.blocks[piece.block] for piece in own]
        body = next((block for block in blocks if block.kind != "heading"), blocks[0])
        bodies = [block.heading for block in blocks if block.kind != "heading"]
        heading = _common(bodies or [block.heading for block in blocks]) or blocks[0].heading
        rows = [block.rows for block in blocks if block.rows]
        times = [block.time for block in blocks if block.time]
        if body.page is not None:
            boxes = [
                box
                for piece in passage.pieces
                if self.blocks[piece.block].page == body.page
                for box in _boxes(self.blocks[piece.block], piece)
            ]
            label = self.page_labels[body.page - 1] if self.page_labels else str(body.page)
            other = label if label != str(body.page) else None
            return Place("page", page=body.page, page_label=other, boxes=tuple(boxes), heading=heading)
        if body.slide is not None:
            return Place("slide", slide=body.slide, heading=heading)
        if times:
            return Place("time", start_s=times[0][0], end_s=times[-1][1], heading=heading)
        if rows:
            return Place("row", sheet=body.sheet, rows=(rows[0][0], rows[-1][1]), heading=heading)
        return Place("heading", heading=heading) if heading else Place("text")


def _boxes(block: Block, piece: Piece) -> Iterator[Box]:
    if not block.boxes:
        return
    ends = (*block.line_starts[1:], len(block.text))
    for box, start, end in zip(block.boxes, block.line_starts, ends, strict=True):
        if start < piece.end and end > piece.start:
            yield box


def _common(paths: list[tuple[str, ...]]) -> tuple[str, ...]:
    shortest, longest = min(paths), max(paths)
    same = 0
    while same < min(len(shortest), len(longest)) and shortest[same] == longest[same]:
        same += 1
    return shortest[:same]


def _section_tokens(blocks: tuple[Block, ...], tokens: list[int]) -> dict[int, int]:
    """Return for each heading, the tokens of its section with all below it."""
    found: dict[int, int] = {}
    open_sections: list[tuple[int, int]] = []
    total = 0
    for index, block in enumerate(blocks):
        if block.kind == "heading":
            while open_sections and blocks[open_sections[-1][0]].level >= block.level:
                section, before = open_sections.pop()
                found[section] = total - before
            open_sections.append((index, total))
        total += tokens[index]
    for section, before in open_sections:
        found[section] = total - before
    return found
