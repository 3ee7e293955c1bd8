"""Attribution: sources for an answer that cites none, found for each sentence by its words.

A sentence is attributed when what it adds to the question (stems, the rarer the more) stands close together in one
passage, every number included. Precision first: a sentence that matches nothing well stays without a source, which is
shown, rather than with a wrong one. bench/README.md has the measurement behind the numbers.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat

from app.chat.citations import SENTENCE_OPENING, Citation, ReadingOrder
from app.chat.extractive import Readable
from app.lib.sentences import sentences
from app.retrieval.language import FUNCTION_WORDS, language_detect
from app.retrieval.sparse import term_number, words_split

NEIGHBOURS = 2  # sentences of a passage that are matched together
ADDED_SHARE = 0.7  # required in one place, of the weight of the sentence's words that are not in the question
SUBJECT_SHARE = 0.5  # required there or in the heading, of the weight of all words of sentence and question
MOST_SENTENCES = 40  # sentences of an answer that are attributed; later ones get no source

Terms = frozenset[int]


@dataclass(frozen=True, slots=True)
class _Claim:
    """A sentence of the answer. numbers: terms of its words with digits; added: terms that the question lacks."""

    start: int
    end: int
    terms: Terms
    numbers: Terms
    added: Terms


@dataclass(frozen=True, slots=True)
class _Place:
    """Some neighbouring sentences of a passage, reduced to the terms that matter to the answer.

    around: with the terms of the passage's headings and its document's name.
    """

    passage: int  # index in rank order
    inside: Terms
    around: Terms


def answer_attribute(*, answer: str, question: str, passages: Sequence[Readable]) -> list[Citation]:
    """Return at most one citation a sentence, in the order of the answer; its span is the sentence without a marker."""
    if not passages:
        return []
    answer_language = language_detect(answer)
    language = language_detect("\n".join(passage.text[:500] for passage in passages), hint=answer_language)
    terms = _Terms(language, answer_language)
    question_terms = terms.of(question)
    claims = [_claim(answer, start, end, terms, question_terms) for start, end in sentences(answer)[:MOST_SENTENCES]]
    relevant = question_terms.union(*(claim.terms | claim.numbers for claim in claims))
    places = [place for index, passage in enumerate(passages) for place in _places(index, passage, terms, relevant)]
    weights = _weights(relevant, places)
    citations: list[Citation] = []
    order = ReadingOrder()
    for claim in claims:
        best = _best(claim, question_terms, places, weights)
        if best is not None:
            rank = passages[best.passage].rank
            citations.append(Citation(order.number(rank), rank, claim.start, claim.end))
    return citations


class _Terms:
    """Terms of texts in the passages' language, without function words of this and the answer's language."""

    def __init__(self, language: str, answer_language: str) -> None:
        self._language = language
        nothing: frozenset[str] = frozenset()
        self._skipped = FUNCTION_WORDS.get(language, nothing) | FUNCTION_WORDS.get(answer_language, nothing)

    def of(self, text: str) -> Terms:
        return self.numbered(set(words_split(text)) - self._skipped)

    def numbered(self, words: Iterable[str]) -> Terms:
        return frozenset(map(term_number, words, repeat(self._language)))


def _claim(answer: str, start: int, end: int, terms: _Terms, question_terms: Terms) -> _Claim:
    opening = SENTENCE_OPENING.match(answer, start, end)
    start = opening.end() if opening else start
    sentence = answer[start:end]
    numbers = terms.numbered(word for word in words_split(sentence) if any(map(str.isdigit, word)))
    own = terms.of(sentence)
    return _Claim(start, end, own, numbers - question_terms, own - question_terms)


def _places(index: int, passage: Readable, terms: _Terms, relevant: Terms) -> list[_Place]:
    context = terms.of(passage.context) & relevant
    own = [terms.of(passage.text[start:end]) for start, end in sentences(passage.text)]
    runs = [own[first].union(*own[first + 1 : first + NEIGHBOURS]) for first in range(len(own))]
    return [_Place(index, run & relevant, run & relevant | context) for run in runs if run]


def _weights(relevant: Terms, places: Sequence[_Place]) -> dict[int, float]:
    """Return the weight of each term: higher when fewer places contain it."""
    counts = Counter(term for place in places for term in place.inside)
    return {term: math.log(1 + len(places) / (1 + counts[term])) for term in relevant}


def _best(
    claim: _Claim, question_terms: Terms, places: Sequence[_Place], weights: Mapping[int, float]
) -> _Place | None:
    """Return the place with most of the sentence and the question, if it has enough of the sentence's new terms."""
    if not claim.added:
        return None  # the sentence repeats the question: any retrieved passage would match

    def weight(terms: Terms) -> float:
        # An exact sum, so that equal places tie and the one in the better passage wins.
        return math.fsum(map(weights.__getitem__, terms))

    subject = claim.terms | question_terms
    needed = ADDED_SHARE * weight(claim.added)
    best, most = None, SUBJECT_SHARE * weight(subject)
    for place in places:
        if not claim.numbers <= place.inside or weight(claim.added & place.inside) < needed:
            continue
        share = weight(subject & place.around)
        if share > most:
            best, most = place, share
    return best
