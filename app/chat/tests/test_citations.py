import random
import time
from itertools import pairwise

import pytest

from app.chat.citations import Citation, CitationResolver


def resolve(text: str, known: range = range(1, 6), cuts: list[int] | None = None) -> tuple[str, list[Citation]]:
    resolver = CitationResolver(known)
    edges = [0, *sorted(cuts or []), len(text)]
    pieces = [piece for a, b in pairwise(edges) for piece in resolver.feed(text[a:b])]
    pieces += resolver.finish()
    given = "".join(piece for piece in pieces if isinstance(piece, str))
    assert given == resolver.text
    assert [piece for piece in pieces if isinstance(piece, Citation)] == resolver.citations
    return given, resolver.citations


CASES = [
    ("Cats purr [1].", "Cats purr [1].", [1]),
    ("Cats purr[1][2].", "Cats purr[1][2].", [1, 2]),
    ("Cats purr [1, 2].", "Cats purr [1][2].", [1, 2]),
    ("Cats purr [1-3].", "Cats purr [1][2][3].", [1, 2, 3]),
    ("Cats purr [1–3; 5].", "Cats purr [1][2][3][4].", [1, 2, 3, 4]),
    ("Cats purr 【1】.", "Cats purr [1].", [1]),
    ("猫会叫［2］。", "猫会叫[1]。", [1]),
    ("Cats purr [passage 2].", "Cats purr [1].", [1]),
    ("Cats purr [Sources: 2 and more].", "Cats purr [Sources: 2 and more].", []),
    ("Cats purr [^2].", "Cats purr [1].", [1]),
    ("One [4]. Two [2]. One again [4][1].", "One [1]. Two [2]. One again [1][3].", [1, 2, 1, 3]),
    ("All [3-1, 2].", "All [1][2][3].", [1, 2, 3]),
    ("Cats purr [9].", "Cats purr.", []),
    ("Cats purr [9] [8], dogs [7] do not.", "Cats purr, dogs do not.", []),
    ("Cats purr [9][1].", "Cats purr [1].", [1]),
    ("Cats purr [1, 9].", "Cats purr [1].", [1]),
    ("Cats purr [3-99].", "Cats purr [1].", [1]),
    ("In [2024] cats purr [0] [0, 1].", "In [2024] cats purr [0] [0, 1].", []),
    ("See [1](https://example.com) and [the page](x) [1].", "See [1](https://example.com) and [the page](x) [1].", [1]),
    ("Use `a[1]` and ``b`[2]`` [3].", "Use `a[1]` and ``b`[2]`` [1].", [1]),
    ("An open `tick\nends with the line [1].", "An open `tick\nends with the line [1].", [1]),
    ("```python\na[1]\n```\nDone [2].", "```python\na[1]\n```\nDone [1].", [1]),
    ("~~~~\na[1]\n~~~\nb[2]\n~~~~~\nDone [2].", "~~~~\na[1]\n~~~\nb[2]\n~~~~~\nDone [1].", [1]),
    ("About ~~ten~~ [1].", "About ~~ten~~ [1].", [1]),
    ("https://example.com/?a[1]=2 is one [1].", "https://example.com/?a[1]=2 is one [1].", [1]),
    ("- [ ] task [1]\n- [x] done [2]", "- [ ] task [1]\n- [x] done [2]", [1, 2]),
    ("Half a marker [1", "Half a marker [1", []),
    ("Half a marker [", "Half a marker [", []),
    ("Ends with spaces   ", "Ends with spaces   ", []),
    ("Gone at the end [9]", "Gone at the end", []),
    ("[1]", "[1]", [1]),
    ("", "", []),
]


def test_markers_become_citations_and_nothing_else_does(subtests: pytest.Subtests) -> None:
    for text, clean, numbers in CASES:
        with subtests.test(text=text, clean=clean):
            given, citations = resolve(text)
            assert given == clean
            assert [citation.n for citation in citations] == numbers
            assert all(given[: citation.end].endswith(f"[{citation.n}]") for citation in citations)


def test_every_single_cut_and_every_character_apart_give_the_same(subtests: pytest.Subtests) -> None:
    for text, _, _ in CASES:
        with subtests.test(text=text):
            whole = resolve(text)
            assert resolve(text, cuts=list(range(1, len(text)))) == whole
            for cut in range(len(text)):
                assert resolve(text, cuts=[cut]) == whole


def test_any_split_of_any_text_gives_the_same() -> None:
    dice = random.Random(20261121)
    atoms = [*"[]129, -()`~\n【】x", "```", ". ", "word", "Aa", "[1]"]
    for _ in range(4000):
        text = "".join(dice.choice(atoms) for _ in range(dice.randrange(1, 30)))
        cuts = [dice.randrange(len(text) + 1) for _ in range(dice.randrange(6))]
        assert resolve(text, cuts=cuts) == resolve(text), (text, cuts)


SPANS = [
    ("One is so. Two is not [1].", ["Two is not [1]"]),
    ("One is so. [1] Two is not. [2]", ["One is so. [1]", "Two is not. [2]"]),
    ("One is so [1]. Two is not [2][3].", ["One is so [1]", "Two is not [2]", "Two is not [2][3]"]),
    ("Half [1] and whole [2].", ["Half [1]", "Half [1] and whole [2]"]),
    ("- First [1]\n- Second [2]", ["First [1]", "Second [2]"]),
    ("1. First [1]\n2. Second [2]", ["First [1]", "Second [2]"]),
    ("It costs 3.50 a day, e.g. On Mondays [1].", ["It costs 3.50 a day, e.g. On Mondays [1]"]),
    ("Dr. Who left. So did J. Smith [1].", ["So did J. Smith [1]"]),
    ("猫会叫。狗不会[1]。", ["狗不会[1]"]),
    ("He said “no.” She agreed [1].", ["She agreed [1]"]),
    ("A line.\n\n[1] opens another.", ["[1]"]),
    ("Café 😀 closes. It opens [1].", ["It opens [1]"]),
]


def test_a_span_is_the_sentence_up_to_its_marker(subtests: pytest.Subtests) -> None:
    for text, spans in SPANS:
        with subtests.test(text=text, spans=spans):
            given, citations = resolve(text)
            assert [given[citation.start : citation.end] for citation in citations] == spans


def test_text_that_cannot_be_a_marker_is_not_held_back() -> None:
    resolver = CitationResolver([1])
    assert resolver.feed("Cats purr [") == ["Cats purr"]
    assert resolver.feed("see") == []
    assert resolver.feed(" also") == []
    assert resolver.feed("!") == [" [see also!"]
    assert resolver.feed(" [1") == []
    assert resolver.feed("]") == []
    assert resolver.feed(".")[0] == " [1]"


WORST = ["[" * 100_000, "[1, " * 25_000, "`" * 100_000, " " * 100_000 + "[1]", "[9]" * 30_000, ". " * 50_000]


@pytest.mark.parametrize("worst", WORST)
def test_hostile_text_takes_linear_time(worst: str) -> None:
    began = time.process_time()
    resolve(worst)
    assert time.process_time() - began < 2
