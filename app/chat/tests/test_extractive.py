import json
import time

import pytest

from app.chat.extractive import Readable, extract_make

HANDBOOK = Readable(
    1,
    "Parental leave\nThe first parent has 52 weeks of leave. The second parent gets 30 days in the child's first year. "
    "It can be taken in parts.\nSick leave\nReport sick before 09:00. A note is needed from the fourth day.",
    "employee-handbook.docx Leave",
)
PRICES = Readable(
    2,
    "item: TV-4101; name: Water tank of 4.2 litres; price_gbp: 38.50\n"
    "item: TV-4105; name: Carbon filter for the water tank; price_gbp: 27.60",
    "price-list.csv",
    "row",
)
MANUAL = Readable(3, "Descaling\nDescaling takes 45 minutes. Use no vinegar: it eats the seals.", "product-manual.pdf")
ALL = [HANDBOOK, PRICES, MANUAL]


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("How many days of parental leave does the second parent get?", "30 days in the child's first year. "),
        ("How long does descaling take?", "Descaling takes 45 minutes."),
        ("May I use vinegar?", "Use no vinegar: it eats the seals."),
        ("From which day do I need a sick note?", "A note is needed from the fourth day."),
    ],
)
def test_the_sentence_that_answers_is_quoted_and_cited(question: str, text: str) -> None:
    extract = extract_make(question=question, passages=ALL)
    assert extract is not None
    assert text.strip() in extract.text
    cited = next(one for one in extract.citations if text.strip() in extract.text[one.start : one.end])
    assert text.strip() in ALL[cited.rank - 1].text
    assert extract.text[: cited.end].endswith(f"” [{cited.n}]")
    assert extract.text[cited.start] == "“"


def test_a_row_of_a_table_is_given_as_the_row() -> None:
    extract = extract_make(question="What does the carbon filter cost?", passages=ALL)
    assert extract is not None
    assert extract.text.startswith("item: TV-4105; name: Carbon filter for the water tank; price_gbp: 27.60 [1]")
    assert [(one.n, one.rank) for one in extract.citations] == [(1, 2)]


def test_the_head_of_a_table_brings_its_rows() -> None:
    text = "Approval\nCost of the trip | Who approves\nup to £750 | team lead\nover £750 | head of department\n\nEnd."
    extract = extract_make(question="Who approves the cost of a trip?", passages=[Readable(1, text)])
    assert extract is not None
    assert extract.text.split("\n\n") == [
        "Cost of the trip | Who approves [1]",
        "up to £750 | team lead [1]",
        "over £750 | head of department [1]",
    ]


def test_the_same_question_has_the_same_answer_of_at_most_four_sentences() -> None:
    extract = extract_make(question="parental leave sick note descaling vinegar water tank", passages=ALL)
    assert extract == extract_make(question="parental leave sick note descaling vinegar water tank", passages=ALL)
    assert extract is not None
    assert len(extract.citations) <= 4


@pytest.mark.parametrize("passages", [[], [Readable(1, "", "")], [MANUAL]])
def test_without_a_word_in_common_there_is_no_answer(passages: list[Readable]) -> None:
    assert extract_make(question="Which football club won?", passages=passages) is None


def test_a_sentence_that_points_back_brings_the_one_before() -> None:
    text = "The Vale 3 is delivered on a pallet. It weighs 18.4 kg without beans."
    extract = extract_make(question="How heavy is it, what does it weigh in kg?", passages=[Readable(1, text)])
    assert extract is not None
    assert extract.text == f"“{text}” [1]"


def test_repeated_text_of_overlapping_passages_is_quoted_once() -> None:
    text = "Descaling takes 45 minutes."
    extract = extract_make(question="How long does descaling take?", passages=[Readable(1, text), Readable(2, text)])
    assert extract is not None
    assert extract.text == f"“{text}” [1]"


def test_hostile_text_is_read_in_linear_time() -> None:
    began = time.process_time()
    extract_make(question="a b c d", passages=[Readable(1, json.dumps("a. B [1] " * 5000)), Readable(2, "a" * 100_000)])
    assert time.process_time() - began < 3


ERRORS = Readable(
    1,
    "Code: E-19; Meaning: No heat. Rare.; What to do: Switch the machine off for 15 minutes\n"
    "Code: E-21; Meaning: Leak found in the base; What to do: Pull the plug. Call service at once\n"
    "Code: E-30; Meaning: Service due; What to do: Book a visit; the machine keeps working",
)


def test_a_row_with_names_of_columns_is_given_whole_and_without_its_neighbours() -> None:
    extract = extract_make(question="What should I do when the machine shows E-21?", passages=[ERRORS])
    assert extract is not None
    row = "Code: E-21; Meaning: Leak found in the base; What to do: Pull the plug. Call service at once"
    assert extract.text == f"{row} [1]"


def test_rows_that_have_the_same_word_of_the_question_stay_apart() -> None:
    extract = extract_make(question="Which codes are about the machine?", passages=[ERRORS])
    assert extract is not None
    assert [line[:10] for line in extract.text.split("\n\n")] == ["Code: E-19", "Code: E-30"]
