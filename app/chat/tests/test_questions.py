import pytest

from app.chat.questions import query_make, question_check, question_points_back
from app.errors import Invalid


@pytest.mark.parametrize(("text", "code"), [("", "question_empty"), (" \n\x00", "question_empty")])
def test_nothing_asked_is_refused(text: str, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        question_check(text)
    assert caught.value.code == code


def test_the_limit_is_two_thousand_characters() -> None:
    assert question_check("é" * 2000) == "é" * 2000
    with pytest.raises(Invalid) as caught:
        question_check("x" * 2001)
    assert caught.value.code == "question_too_long"


@pytest.mark.parametrize(
    "text",
    [
        "And for contractors?",
        "How long does it take?",
        "Why?",
        "What about them",
        "Und in Berlin?",
        "¿Y los otros?",
        "なぜ",
    ],
)
def test_a_question_that_points_back_is_seen(text: str) -> None:
    assert question_points_back(text)


@pytest.mark.parametrize(
    "text",
    [
        "How many days of parental leave does an employee get?",
        "Which warranty period applies to the coffee grinder?",
        "Wie viele Urlaubstage haben Angestellte im ersten Jahr?",
        "有薪假期一年一共有多少天可以使用",
    ],
)
def test_a_question_that_stands_alone_stays_alone(text: str) -> None:
    assert not question_points_back(text)


def test_the_search_goes_back_to_a_question_that_stands_alone() -> None:
    first = "How many days of parental leave does an employee get?"
    assert query_make(question="Can they share them?", earlier=[first, "Old?"]) == f"{first} Can they share them?"
    chain = query_make(question="Why?", earlier=["And part-time?", first, "Old?"])
    assert chain == f"{first} And part-time? Why?"
    assert query_make(question=first, earlier=["Old?"]) == first
    assert query_make(question="Why?", earlier=[]) == "Why?"
