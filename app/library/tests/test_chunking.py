import random
from itertools import pairwise
from pathlib import Path

import pytest

from app.library.parsers import parse
from app.library.parsers.blocks import Block, Parsed, full_text
from app.library.parsers.media import MARKDOWN, PDF, TEXT
from app.library.pipeline.chunking import chunk
from app.library.pipeline.tokens import counter_for, estimating_counter, minilm_counter

COUNT = minilm_counter()
SENTENCE = "The committee meets on the first Monday of every month in the large hall."


def made(*blocks: Block, media_type: str = TEXT) -> Parsed:
    return Parsed(blocks, media_type)


def section(level: int, *path: str) -> Block:
    return Block("heading", path[-1], level, path)


def paragraph(sentences: int, path: tuple[str, ...] = (), page: int | None = None, mark: str = "") -> Block:
    text = " ".join(f"{mark}{number} {SENTENCE}" for number in range(sentences))
    boxes = tuple((0.1, round(0.01 * line, 4), 0.9, round(0.01 * line + 0.009, 4)) for line in range(sentences))
    starts = tuple(text.index(f"{mark}{number} The") for number in range(sentences))
    return Block("paragraph", text, 0, path, page, boxes if page else (), starts if page else ())


def check(parsed: Parsed, limit: int = 254, **options: int) -> list[str]:
    """Check the invariants of every cut; return the texts of the passages."""
    drafts = chunk(parsed, max_tokens=limit, count=COUNT, **options)
    whole = full_text(parsed.blocks)
    covered = 0
    for number, draft in enumerate(drafts):
        assert draft.position == number
        assert whole[draft.start : draft.end] == draft.text
        assert COUNT.count(draft.embed_text) <= draft.tokens <= limit
        assert not whole[covered : draft.start].strip()
        assert draft.end > covered
        covered = draft.end
    assert not whole[covered:].strip()
    return [draft.text for draft in drafts]


def test_a_short_document_is_one_passage() -> None:
    assert check(made(section(1, "A"), paragraph(2, ("A",)))) == [f"A\n\n0 {SENTENCE} 1 {SENTENCE}"]


def test_small_sections_of_one_parent_share_a_passage_and_large_ones_do_not() -> None:
    small = [section(1, "A")]
    for name in "bcd":
        small += [section(2, "A", name), paragraph(2, ("A", name))]
    assert len(check(made(*small))) == 1
    large = [section(1, "A")]
    for name in "bcd":
        large += [section(2, "A", name), paragraph(10, ("A", name))]
    drafts = chunk(made(*large), max_tokens=254, count=COUNT)
    assert [draft.place.heading for draft in drafts] == [("A", "b"), ("A", "c"), ("A", "d")]
    assert drafts[1].embed_text.startswith("A\nc\n\n0 The")


def test_sections_of_the_top_level_never_share_a_passage() -> None:
    texts = check(made(section(1, "A"), paragraph(1, ("A",)), section(1, "B"), paragraph(1, ("B",))))
    assert [text[0] for text in texts] == ["A", "B"]


def test_the_next_passage_repeats_the_last_whole_sentences() -> None:
    drafts = chunk(made(paragraph(60)), max_tokens=254, overlap_tokens=50, count=COUNT)
    assert len(drafts) > 3
    for before, after in pairwise(drafts):
        shared = before.text[after.start - before.start :]
        assert 0 < COUNT.count(shared) <= 50
        assert after.text.startswith(shared)
        assert shared.endswith("hall.")
        assert shared[0].isdigit()
    assert check(made(paragraph(60)), overlap_tokens=0)


def test_a_heading_is_never_left_alone_at_the_end_of_a_passage() -> None:
    blocks = [section(1, "A"), paragraph(12, ("A",)), section(2, "A", "B"), paragraph(12, ("A", "B"))]
    assert all(not text.endswith("B") for text in check(made(*blocks)))


def test_rows_are_never_cut_or_repeated_and_the_place_counts_them() -> None:
    rows = [Block("table_row", f"Name: n{n}; Text: {SENTENCE}", rows=(n, n)) for n in range(2, 42)]
    drafts = chunk(made(*rows), max_tokens=254, count=COUNT)
    spans = [draft.place.rows for draft in drafts]
    assert all(draft.place.kind == "row" for draft in drafts)
    assert [row for span in spans if span for row in range(span[0], span[1] + 1)] == list(range(2, 42))


def test_a_passage_stays_on_its_page_with_the_boxes_of_its_lines() -> None:
    blocks = (paragraph(3, page=1, mark="A"), paragraph(30, page=2, mark="B"))
    drafts = chunk(made(*blocks, media_type=PDF), max_tokens=254, count=COUNT)
    assert [draft.place.page for draft in drafts] == [1, 2, 2, 2]
    assert len(drafts[0].place.boxes) == 3
    third = drafts[2]
    first, last = third.text.split()[0], third.text.rsplit(". B", 1)[1].split()[0]
    assert [box[1] for box in third.place.boxes] == [
        round(0.01 * line, 4) for line in range(int(first[1:]), int(last) + 1)
    ]


def test_a_sentence_that_runs_on_over_the_page_is_begun_on_the_next() -> None:
    first = Block("paragraph", "Rent is due on the first day of the", page=1, boxes=((0, 0, 1, 1),), line_starts=(0,))
    second = Block("paragraph", "month, in advance.", page=2, boxes=((0, 0, 1, 0.1),), line_starts=(0,))
    drafts = chunk(made(first, second, media_type=PDF), max_tokens=254, count=COUNT)
    assert drafts[1].text.endswith("day of the\n\nmonth, in advance.")
    assert (drafts[1].place.page, drafts[1].place.boxes) == (2, ((0, 0, 1, 0.1),))


@pytest.mark.parametrize(
    "text",
    [
        "a" * 100_000,
        "漢" * 20_000,
        "word " * 20_000,
        "x, " * 20_000,
        "1" * 5_000 + " " + "é" * 5_000,
        "🎉" * 3_000,
        "a. " * 9_000,
    ],
)
def test_text_without_structure_is_cut_within_the_limit(text: str) -> None:
    assert len(check(made(Block("paragraph", text.strip())))) > 1


def test_long_headings_leave_room_for_the_text() -> None:
    path = tuple(f"{SENTENCE} {SENTENCE} {number}" for number in range(4))
    blocks = [Block("heading", path[depth], depth + 1, path[: depth + 1]) for depth in range(4)]
    check(made(*blocks, paragraph(30, path)))
    check(made(*blocks, paragraph(30, path)), limit=64)


def test_any_mixture_of_blocks_is_covered_without_gaps() -> None:
    for seed in range(150):
        chance = random.Random(seed)
        path: tuple[str, ...] = ()
        blocks: list[Block] = []
        for number in range(chance.randint(1, 60)):
            kind = chance.choice(["heading", "paragraph", "paragraph", "list_item", "table_row", "code"])
            text = " ".join(
                chance.choice([SENTENCE, "short.", "ein Wort", "x" * 90]) for _ in range(chance.randint(1, 25))
            )
            page = number // 7 + 1 if seed % 2 else None
            if kind == "heading":
                level = chance.randint(1, min(4, len(path) + 1))
                path = (*path[: level - 1], f"title {number}")
                blocks.append(Block("heading", path[-1], level, path, page))
            else:
                blocks.append(Block(kind, text.replace(" ", "\n", 1) if kind == "code" else text, 0, path, page))  # type: ignore[arg-type]
        check(made(*blocks), limit=chance.choice([48, 128, 254, 500]), overlap_tokens=chance.choice([0, 20, 50, 400]))


def test_the_packaged_tokenizer_is_counted_exactly() -> None:
    from tokenizers import Tokenizer

    from app.library.pipeline import tokens

    tokenizer = Tokenizer.from_file(str(tokens._tokenizer_path()))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    for text in (
        SENTENCE,
        "Don’t—re-use 3.14% of “naïve” CAFÉ’s €5!",
        "日本語 mixed text 漢字",
        "snake_case()[0]",
        "İstanbul Straße ﬁn",
        "",
    ):
        assert COUNT.count(text) == len(tokenizer.encode(text, add_special_tokens=False)), text


def test_an_unknown_model_is_counted_on_the_high_side() -> None:
    estimate = counter_for("nomic-embed-text")
    assert estimate is estimating_counter()
    for text in (
        SENTENCE * 20,
        "Straßenbahnhaltestelle und Öffnungszeiten " * 20,
        "日本語の文章です。" * 20,
        "x = foo(bar[1]) + 3.1415" * 20,
    ):
        assert estimate.count(text) >= COUNT.count(text)
    assert counter_for("sentence-transformers/all-MiniLM-L6-v2") is COUNT


def test_places_of_a_document_with_headings_name_them(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("# Leave\n\nThirty days.\n\n# Pay\n\nMonthly.")
    drafts = chunk(parse(path, MARKDOWN), max_tokens=254, count=COUNT)
    assert [draft.place.to_json() for draft in drafts] == [
        {"kind": "heading", "heading": ["Leave"]},
        {"kind": "heading", "heading": ["Pay"]},
    ]
