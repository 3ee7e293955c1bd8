"""An estimate of whether the documents answer a question, for "not in the documents".

A question is supported when the cosine of the nearest passage plus the share of its words in the best passage
reaches a threshold. bench/README.md has the measurement, with the wrongly refused and wrongly accepted questions. It
detects another subject; it cannot detect a passage on the subject that lacks the answer.
"""

import math

from app.retrieval.language import language_detect
from app.retrieval.sparse import question_words, term_number, words_split

# Full coverage of the words counts as much as this cosine.
COVERAGE_WEIGHT = 0.37
# The cosines of a model that does not know the language are lower.
THRESHOLD_KNOWN, THRESHOLD_FOREIGN = 0.66, 0.54
# Without vectors words alone decide: half of them.
THRESHOLD_WORDS = 0.5
# Below this the documents are on another subject: no model is called. bench/README.md has its error rates.
LEAST_SUPPORT = 0.02
# The slope of the logistic function through the measured points: .1 above the threshold is .83.
STEEPNESS = 16.0


def coverage_measure(question: str, passage: str) -> float:
    """Return the share of the question's words, without function words, that the passage contains in any form."""
    question_language, passage_language = language_detect(question), language_detect(passage)
    words = question_words(question, question_language)
    terms = {term_number(word, passage_language) for word in set(words_split(passage))}
    count = sum(
        not terms.isdisjoint((term_number(word, question_language), term_number(word, passage_language)))
        for word in words
    )
    return count / len(words) if words else 0.0


def support_measure(*, question: str, passage: str, cosine: float | None, known: bool) -> float:
    """Return the support of a question, 0 to 1; from .5 on it is supported.

    Args:
        passage: the text of the best hit.
        cosine: the nearest passage's, scaled so that unrelated texts are at 0; None when only words were searched.
        known: whether the embedding model knows the question's language.
    """
    coverage = coverage_measure(question, passage)
    if cosine is None:
        above = coverage - THRESHOLD_WORDS
    else:
        above = cosine + COVERAGE_WEIGHT * coverage - (THRESHOLD_KNOWN if known else THRESHOLD_FOREIGN)
    return 1 / (1 + math.exp(-STEEPNESS * above))


def is_out_of_domain(*, question: str, passage: str, cosine: float | None, known: bool) -> bool:
    """Return whether support is below LEAST_SUPPORT: another subject. Reads no text if the cosine alone decides.

    Always False without vectors: words alone are not reliable enough.
    """
    if cosine is None:
        return False
    least = (THRESHOLD_KNOWN if known else THRESHOLD_FOREIGN) + math.log(
        LEAST_SUPPORT / (1 - LEAST_SUPPORT)
    ) / STEEPNESS
    if cosine >= least:
        return False
    return cosine + COVERAGE_WEIGHT * coverage_measure(question, passage) < least
