"""Sources for an answer whose writer named none: each sentence is looked for in the passages, by its words.

A sentence is attributed when what it adds to the question (stems, the rarer the more) stands close together in one
passage, every number included. Precision first: a sentence that matches nothing well stays without a source, which is
shown, rather than with a wrong one. docs/answers.md has the measurement behind the numbers.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.chat.citations import SENTENCE_OPENING, Citation
from app.chat.extractive import Readable
from app.lib.sentences import sentences
from app.retrieval.language import FUNCTION_WORDS, language_detect
from app.retrieval.sparse import term_number, words_split

NEIGHBOURS = 2  # sentences of a passage that are read together
ADDED_SHARE = 0.7  # of the weight of what a sentence adds to the question: must stand in one place
SUBJECT_SHARE = 0.5  # of the weight of all its words and the question's: must stand there too, or in the heading
MOST_SENTENCES = 40  # of an answer: what comes after has no source of its own

Terms = frozenset[int]


@dataclass(frozen=True, slots=True)
class _Place:
    """Some neighbouring sentences of a passage. around: with the words of its headings and its document's name."""

    passage: int  # index in rank order
    held: Terms
    around: Terms


def answer_attribute(*, answer: str, question: str, passages: Sequence[Readable]) -> list[Citation]:
    """At most one citation a sentence, in the order of the answer; its span is the sentence, without any marker."""
    if not passages:
        return []
    spoken = language_detect("\n".join(passage.text[:500] for passage in passages), hint=language_detect(answer))
    skipped = FUNCTION_WORDS.get(spoken, frozenset()) | FUNCTION_WORDS.get(language_detect(answer), frozenset())

    def terms(text: str) -> Terms:
        return frozenset(term_number(word, spoken) for word in words_split(text) if word not in skipped)

    places = [place for index, passage in enumerate(passages) for place in _places(index, passage, terms)]
    weights = _Weights(places)
    asked = terms(question)
    citations: list[Citation] = []
    for start, end in sentences(answer)[:MOST_SENTENCES]:
        opening = SENTENCE_OPENING.match(answer, start, end)
        start = opening.end() if opening else start
        numbers = frozenset(
            term_number(word, spoken) for word in words_split(answer[start:end]) if any(map(str.isdigit, word))
        )
        best = _best(terms(answer[start:end]), numbers, asked, places, weights)
        if best is not None:
            citations.append(Citation(passages[best.passage].n, start, end))
    return citations


class _Weights:
    """How much a word says: the fewer places hold it, the more."""

    def __init__(self, places: Sequence[_Place]) -> None:
        self._held = Counter(term for place in places for term in place.held)
        self._count = len(places)

    def of(self, terms: Terms) -> float:
        return sum(math.log(1 + self._count / (1 + self._held[term])) for term in terms)


def _places(index: int, passage: Readable, terms: Callable[[str], Terms]) -> list[_Place]:
    context = terms(passage.context)
    own = [terms(passage.text[start:end]) for start, end in sentences(passage.text)]
    runs = [frozenset[int]().union(*own[first : first + NEIGHBOURS]) for first in range(len(own))]
    return [_Place(index, held, held | context) for held in runs if held]


def _best(said: Terms, numbers: Terms, asked: Terms, places: Sequence[_Place], weights: _Weights) -> _Place | None:
    """The place that holds most of what the sentence and the question say, if it holds enough of what is new."""
    added = said - asked
    needed, whole = ADDED_SHARE * weights.of(added), weights.of(said | asked)
    if not added:
        return None  # the question said again: it would match whatever was found
    best, most = None, SUBJECT_SHARE * whole
    for place in places:
        if weights.of(added & place.held) < needed or not numbers - asked <= place.held:
            continue
        subject = weights.of((said | asked) & place.around)
        if subject > most:
            best, most = place, subject
    return best
