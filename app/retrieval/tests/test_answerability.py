from itertools import product

import pytest

from app.retrieval.answerability import LEAST_SUPPORT, coverage_measure, is_out_of_domain, support_measure

PASSAGE = "Every employee has 28 days of paid holiday a year. Unused days expire at the end of March."


def test_coverage_counts_words_in_any_form_and_skips_function_words() -> None:
    assert coverage_measure("How many holidays does an employee have?", PASSAGE) == pytest.approx(2 / 2)
    assert coverage_measure("When do unused holidays of contractors expire?", PASSAGE) == pytest.approx(3 / 4)
    assert coverage_measure("Who is it?", PASSAGE) == 0.0


def test_near_in_meaning_and_words_is_supported() -> None:
    assert support_measure(question="How many days of holiday?", passage=PASSAGE, cosine=0.6, known=True) > 0.9


def test_another_subject_is_not_supported() -> None:
    question = "What is the capital of Mongolia?"
    assert support_measure(question=question, passage=PASSAGE, cosine=0.1, known=True) < 0.01


def test_a_language_that_the_model_does_not_know_needs_less() -> None:
    question = "Wie viele employee Tage holiday gibt es bezahlt?"
    known, foreign = (support_measure(question=question, passage=PASSAGE, cosine=0.45, known=k) for k in (True, False))
    assert known < 0.5 < foreign


def test_without_vectors_half_of_the_words_are_enough() -> None:
    assert support_measure(question="unused holiday", passage=PASSAGE, cosine=None, known=True) > 0.5
    assert support_measure(question="unused printer toner", passage=PASSAGE, cosine=None, known=True) < 0.5


def test_another_subject_is_what_has_least_support(subtests: pytest.Subtests) -> None:
    questions = ("How many days of holiday?", "What is the capital of Mongolia?")
    for question, cosine in product(questions, (0.0, 0.2, 0.3, 0.4, 0.45, 0.6)):
        with subtests.test(question=question, cosine=cosine):
            support = support_measure(question=question, passage=PASSAGE, cosine=cosine, known=True)
            off = is_out_of_domain(question=question, passage=PASSAGE, cosine=cosine, known=True)
            assert off is (support < LEAST_SUPPORT)


def test_without_vectors_nothing_is_another_subject() -> None:
    assert not is_out_of_domain(question="What is the capital of Mongolia?", passage=PASSAGE, cosine=None, known=True)
