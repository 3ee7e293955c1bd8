import time
from itertools import pairwise

import pytest

from app.lib.sentences import sentences


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


TEXTS = [
    ("", []),
    ("  \n ", []),
    ("One. Two! Three? Four… Five", ["One.", "Two!", "Three?", "Four…", "Five"]),
    ("Dr. Smith paid $4.50 to J. Doe. He left.", ["Dr. Smith paid $4.50 to J. Doe.", "He left."]),
    ("See fig. 3 and No. 5. Then stop.", ["See fig. 3 and No. 5.", "Then stop."]),
    ("Use it, e.g. daily. Or not.", ["Use it, e.g. daily.", "Or not."]),
    ('He said "No." Then he left.', ['He said "No."', "Then he left."]),
    ("第一句。第二句！第三句", ["第一句。", "第二句！", "第三句"]),
    ("Am 3. Oktober z.B. ist frei. Danach nicht.", ["Am 3. Oktober z.B. ist frei.", "Danach nicht."]),
    ("1. Open the lid. Wait.", ["1. Open the lid.", "Wait."]),
    ("Title\nBody goes on\nRow", ["Title", "Body goes on", "Row"]),
    ("Wait... what? Yes.", ["Wait... what?", "Yes."]),
    ("It is version 3. The next is 4.", ["It is version 3.", "The next is 4."]),
    ("see example.com/a.b for more", ["see example.com/a.b for more"]),
]


def test_sentences_end_where_a_reader_says_they_do(subtests: pytest.Subtests) -> None:
    for text, expected in TEXTS:
        with subtests.test(text=text, expected=expected):
            assert cut(text) == expected


def test_every_character_but_white_space_is_in_exactly_one_sentence() -> None:
    text = " A b. C!\n\n d (e.) F? “G.” h\t。i…… J.K. L "
    covered = sentences(text)
    assert all(first[1] <= second[0] for first, second in pairwise(covered))
    inside = {at for start, end in covered for at in range(start, end)}
    assert all(char.isspace() for at, char in enumerate(text) if at not in inside)


@pytest.mark.parametrize(
    "text", ["." * 100_000, "a" * 100_000, ". " * 50_000, 'x."' * 33_000, "A. " * 33_000, " " * 100_000]
)
def test_the_worst_hundred_kilobytes_take_less_than_half_a_second(text: str) -> None:
    begin = time.process_time()
    sentences(text)
    assert time.process_time() - begin < 0.5
