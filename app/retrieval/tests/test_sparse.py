import time

import pytest

from app.retrieval.sparse import document_encode, query_encode, term_number, words_split


def shared(question: str, passage: str, **asked: list[str]) -> int:
    """Return how many of the question's terms the passage has."""
    return len(set(query_encode(question, **asked).indices) & set(document_encode(passage).indices))


@pytest.mark.parametrize(
    ("question", "passage"),
    [
        ("Which employees were hired?", "The company is hiring an employee for the office in Basel."),
        ("Wie werden Reisekosten der Mitarbeiter erstattet?", "Die Erstattung der Reisekosten eines Mitarbeiters."),
        ("¿Qué gastos se reembolsan?", "El reembolso de un gasto de la empresa es posible para los empleados."),
        ("Quelles sont les dépenses remboursées ?", "Le remboursement de la dépense est possible pour les employés."),
    ],
)
def test_other_forms_of_a_word_are_found_in_the_language_of_the_text(question: str, passage: str) -> None:
    assert shared(question, passage) >= 1


def test_a_question_in_one_language_finds_words_of_documents_in_another() -> None:
    passage = "The settings of the Refdesk appliances are in the manual, and they can be changed by an admin."
    assert shared("Was sind appliances und wie ändere ich sie?", passage, languages=["en"]) == 1


def test_chinese_is_found_by_pairs_of_characters() -> None:
    assert list(words_split("战国无双3")) == ["战国", "国无", "无双", "3"]
    assert shared("《战国无双3》是由哪两个公司合作开发的？", "《战国无双3》是由光荣和ω-force开发的游戏。") >= 6


def test_hindi_and_thai_words_keep_their_vowel_signs() -> None:
    assert list(words_split("हिन्दी में")) == ["हिन्दी", "में"]
    assert "".join(pair[0] for pair in words_split("ภาษาไทย")) == "ภาษาไท"


def test_accents_may_be_left_out() -> None:
    passage = "La información está en la página de la organización."
    assert shared("informacion organizacion", passage, languages=["es"]) == 2


def test_a_part_number_is_found_however_it_is_joined() -> None:
    passage = "The filter X-200.B fits all pumps of the series."
    for question in ("X-200.B", "x200b", "X 200"):
        assert shared(question, passage, languages=["en"]) >= 1
    assert "200" in list(words_split("X-200.B"))
    assert "lowdensity" not in list(words_split("low-density"))


def test_a_raised_digit_is_not_part_of_the_number() -> None:
    assert words_split("250¹ euros, 10⁶ litres, CO₂, 25 m²") == [
        "250",
        "1",
        "euros",
        "10",
        "6",
        "litres",
        "co2",
        "25",
        "m2",
    ]


def test_function_words_are_not_indexed() -> None:
    assert query_encode("What is it that they were?").indices == []
    assert len(document_encode("the printer and the scanner of the office").indices) == 3


def test_more_occurrences_weigh_more_but_saturate() -> None:
    def weight(times: int) -> float:
        vector = document_encode("invoice " * times + "other words " * (50 - times), language="en")
        return dict(zip(vector.indices, vector.values, strict=True))[term_number("invoice", "en")]

    once, twice, often = weight(1), weight(2), weight(40)
    assert once < twice < often < 2.2
    assert twice - once > (often - twice) / 5


def test_a_longer_passage_weighs_a_word_less() -> None:
    short, long = (document_encode("invoice " + "filler " * n, language="en") for n in (20, 400))
    term = term_number("invoice", "en")
    assert dict(zip(short.indices, short.values, strict=True))[term] > (
        2 * dict(zip(long.indices, long.values, strict=True))[term]
    )


def test_a_question_s_terms_weigh_the_same_and_come_once() -> None:
    vector = query_encode("invoice invoices INVOICE", languages=["en"])
    assert vector == ([term_number("invoice", "en")], [1.0])


def test_numbers_of_terms_stay_the_same_over_releases() -> None:
    """Stored vectors and questions must agree; a change here needs a new collection."""
    assert term_number("invoices", "en") == 3579880780
    assert all(0 <= one < 2**32 for one in document_encode("any text of some words").indices)


@pytest.mark.parametrize(
    "text",
    [
        "a" * 100_000,
        "-" * 100_000,
        "a-" * 50_000,
        "文" * 100_000,
        "a\u0301" * 50_000,
        "x.1/" * 25_000,
        "\u200d'" * 50_000,
    ],
)
def test_hostile_text_takes_linear_time(text: str) -> None:
    started = time.process_time()
    document_encode(text)
    query_encode(text)
    assert time.process_time() - started < 1.5


@pytest.mark.parametrize("text", ["", "   ", "!?…", "\x00", "\ud800", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "👩‍💻"])
def test_odd_text_is_no_error(text: str) -> None:
    vector = document_encode(text)
    assert len(vector.indices) == len(set(vector.indices)) == len(vector.values)
