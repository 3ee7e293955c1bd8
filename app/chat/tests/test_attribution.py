from app.chat.attribution import answer_attribute
from app.chat.extractive import Readable

LEAVE = Readable(
    4,
    "You have 26 days of holiday. After five full years with the company you have 28 days.\n"
    "Leave: Moving house; How much: 1 day a year; Paid: in full",
    "employee-handbook.docx Holiday and other leave",
)
HOTELS = Readable(
    2,
    "Book hotels through the travel desk. A night may cost £170 in London and £120 elsewhere. Breakfast is included.",
    "travel-policy.pdf Hotels",
)


def cited(answer: str, question: str) -> list[tuple[int, str]]:
    found = answer_attribute(answer=answer, question=question, passages=[LEAVE, HOTELS])
    assert [one.n for one in found] == [
        list(dict.fromkeys(each.rank for each in found)).index(one.rank) + 1 for one in found
    ]
    return [(one.rank, answer[one.start : one.end]) for one in found]


def test_each_sentence_gets_the_passage_that_it_is_from() -> None:
    answer = "In London a night may cost £170.\n\n- After five years you have 28 days of holiday."
    assert cited(answer, "What are the limits?") == [
        (2, "In London a night may cost £170."),
        (4, "After five years you have 28 days of holiday."),
    ]


def test_a_bare_number_is_attributed_where_the_question_s_subject_stands() -> None:
    assert cited("£170", "What is the hotel limit for a night in London?") == [(2, "£170")]


def test_another_number_than_the_passage_s_is_not_attributed() -> None:
    assert cited("A night in London may cost £300.", "What is the hotel limit for a night in London?") == []


def test_one_wrong_number_in_many_right_words_is_not_attributed() -> None:
    answer = "Book hotels through the travel desk: in London a night may cost £175, breakfast included."
    assert cited(answer, "How do I book?") == []


def test_saying_the_question_again_is_no_answer_to_attribute() -> None:
    assert cited("London.", "What is the hotel limit for a night in London?") == []


def test_an_invention_on_the_subject_is_not_attributed() -> None:
    assert cited("Hotels on Mars have swimming pools and saunas.", "What is the limit for hotels on Mars?") == []


def test_a_number_of_another_subject_is_not_attributed() -> None:
    assert cited("26", "How many planets orbit the star Kepler?") == []


def test_nothing_comes_of_nothing() -> None:
    assert cited("", "What is the hotel limit?") == []
    assert answer_attribute(answer="£170", question="What?", passages=[]) == []
