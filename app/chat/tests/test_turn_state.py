import orjson
import pytest

from app.chat.payloads import Passage
from app.chat.turns.state import codes_stand_in, texts_with_headings
from app.retrieval.answerability import is_out_of_domain

MANUAL = ["Error codes\nE-17 | Flow too low. Clean the filter TV-4105.", "The Vale 3 weighs 18.4 kg."]


@pytest.mark.parametrize(
    ("question", "stands"),
    [
        ("What does error E-17 mean?", True),
        ("Does E-17 concern TV-4105?", True),
        ("What does error E-42 mean?", False),
        ("Does E-42 concern TV-4105?", False),
        ("What does the error mean?", False),
        ("How heavy is the Vale 3?", False),
    ],
)
def test_a_code_counts_where_it_stands(question: str, stands: bool) -> None:
    assert codes_stand_in(question, MANUAL) is stands


def test_a_word_that_stands_only_in_the_heading_keeps_a_passage_on_the_subject() -> None:
    table = "Property | Value\nWeight | 18.4 kg"
    row = {
        "text": table,
        "place": {"kind": "page", "heading": ["Vale 3 coffee machine"]},
    }
    (text,) = texts_with_headings([Passage(1, row, orjson.Fragment(b"{}"))])
    question, cosine = "How heavy is the Vale 3?", 0.33
    assert not is_out_of_domain(question=question, passage=text, cosine=cosine, known=True)
    assert is_out_of_domain(question=question, passage=table, cosine=cosine, known=True)
