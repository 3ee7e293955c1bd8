"""Whether the documents seem to hold an answer at all, so that "not in the documents" can be said.

A question is supported when the cosine of the nearest passage plus a share of its words that the best passage holds
reaches a threshold. Measured in docs/retrieval.md, with the questions that are wrongly refused and wrongly taken. It
tells another subject; it cannot tell a passage on the subject that lacks the answer.
"""

import math

from app.retrieval.language import language_of
from app.retrieval.sparse import question_words, term_of, words_of

# All words found count as much as this cosine.
COVERAGE_WEIGHT = 0.37
# A model that does not know the language puts everything further away.
THRESHOLD_KNOWN, THRESHOLD_FOREIGN = 0.66, 0.54
# Without vectors words alone decide: half of them.
THRESHOLD_WORDS = 0.5
# Below this the documents are on another subject: no model is asked. docs/retrieval.md has its error rates.
LEAST_SUPPORT = 0.02
# Of the logistic function through the measured points: .1 above the threshold is .83.
STEEPNESS = 16.0


def coverage_of(question: str, passage: str) -> float:
    """The share of the question's words, without function words, that the passage holds in any form."""
    asked, spoken = language_of(question), language_of(passage)
    words = question_words(question, asked)
    held = {term_of(word, spoken) for word in words_of(passage)}
    found = sum(not held.isdisjoint((term_of(word, asked), term_of(word, spoken))) for word in words)
    return found / len(words) if words else 0.0


def support_of(*, question: str, passage: str, cosine: float | None, known: bool) -> float:
    """0 to 1; from .5 on the question is supported.

    Args:
        passage: the text of the best hit.
        cosine: of the nearest passage, scaled so that unrelated texts are at 0; None when only words were searched.
        known: whether the embedding model knows the question's language.
    """
    coverage = coverage_of(question, passage)
    if cosine is None:
        above = coverage - THRESHOLD_WORDS
    else:
        above = cosine + COVERAGE_WEIGHT * coverage - (THRESHOLD_KNOWN if known else THRESHOLD_FOREIGN)
    return 1 / (1 + math.exp(-STEEPNESS * above))


def is_off_subject(*, question: str, passage: str, cosine: float | None, known: bool) -> bool:
    """Whether support is below LEAST_SUPPORT: another subject. Reads no text where the cosine alone decides.

    Without vectors never: words alone cannot tell it well enough.
    """
    if cosine is None:
        return False
    least = (THRESHOLD_KNOWN if known else THRESHOLD_FOREIGN) + math.log(
        LEAST_SUPPORT / (1 - LEAST_SUPPORT)
    ) / STEEPNESS
    if cosine >= least:
        return False
    return cosine + COVERAGE_WEIGHT * coverage_of(question, passage) < least
