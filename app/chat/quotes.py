"""Quotes: the part of a cited passage that supports an answer's sentence, as sentences or rows.

A quotation is found as it stands. A model's own words are matched by the words that they share with each
sentence (stems, weighted by how few of the passage's sentences hold them). When nothing matches well there is no
part: a wrong mark is worse than none.
"""

import math
import re
from collections import Counter
from dataclasses import dataclass

from app.chat.units import Span, is_row, units
from app.retrieval.language import FUNCTION_WORDS, language_detect
from app.retrieval.sparse import term_number, words_split

MOST = 3  # sentences matched with a paraphrased claim
ENOUGH = 0.3  # of the claim's weight, required in the best sentence
ADDS = 0.2  # of the claim's weight, required from a further sentence

_MARKERS = re.compile(r"\s*\[[0-9]{1,3}\]")
_AROUND = " \t\n\"'“”„«»‘’*_`#>-–•"
_SPACES = re.compile(r"\s{2,}")
_ENDS = ".!?;:,"
_CUT = " …"  # end of a quotation that was cut


@dataclass(frozen=True, slots=True)
class _Part:
    """A sentence or a row of the passage. terms: its words' stems without function words."""

    span: Span
    terms: frozenset[int]
    numbers: frozenset[str]


def quotes_find(claim: str, passage: str) -> list[Span]:
    """Return the spans of `passage` that support `claim`, the sentence of an answer with its markers.

    These are the quoted words, else whole sentences or rows in the passage's order, neighbours joined; empty without a
    good match.
    """
    exact = quotes_exact(claim, passage)
    if exact is not None:
        return exact
    claim = _bare(claim)
    return _joined(_alike(claim, passage, units(passage)), passage) if claim else []


def quotes_exact(claim: str, passage: str) -> list[Span] | None:
    """Return the span of the claim if the passage contains it word for word, a row as a whole; else None.

    Costs 10 µs, where `quotes_find` may cost 500: a turn can afford only this.
    """
    claim = _bare(claim)
    span = _exact(claim, passage)
    if span is None:
        return None
    start, end = span
    if is_row(passage[_line_start(passage, start) : _line_end(passage, end)]):
        start, end = _line_start(passage, start), _line_end(passage, end)
    return [(start, end)]


def _bare(claim: str) -> str:
    return _MARKERS.sub("", claim).strip(_AROUND)


def _line_start(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return end if end >= 0 else len(text)


def _exact(claim: str, passage: str) -> Span | None:
    """Return the span of the claim's words in the passage, ignoring differences in white space."""
    claim = " ".join(claim.removesuffix(_CUT).split()).rstrip(_ENDS)
    plain = " ".join(passage.split())
    at = plain.find(claim)
    # A single word, or words that occur twice, do not identify a place.
    if at < 0 or " " not in claim or plain.find(claim, at + 1) >= 0:
        return None
    start, end = at, at + len(claim)
    lead = len(passage) - len(passage.lstrip())
    start, end = start + lead, end + lead
    for run in _SPACES.finditer(passage, lead):
        more = run.end() - run.start() - 1
        if run.start() < start:
            start += more
        if run.start() >= end:
            break
        end += more
    while end < len(passage) and passage[end] in _ENDS:
        end += 1
    return start, end


def _alike(claim: str, passage: str, spans: list[Span]) -> list[Span]:
    """Return the spans of the sentence that shares most with the claim, and of sentences that add to it."""
    language = language_detect(passage, hint=language_detect(claim))
    target = _part(claim, (0, len(claim)), language)
    parts = [_part(passage[start:end], (start, end), language) for start, end in spans]
    counts = Counter(term for part in parts for term in part.terms)
    weight = {term: math.log(1 + len(parts) / (1 + counts[term])) for term in target.terms}
    total = sum(weight.values())
    if not total:
        return []
    chosen: list[Span] = []
    covered: frozenset[int] = frozenset()
    while len(chosen) < MOST:
        score, best = max(
            ((_gain(part, weight, covered), part) for part in parts if part.span not in chosen),
            key=lambda scored: scored[0],
            default=(0.0, None),
        )
        shared = sum(weight[term] for term in best.terms & weight.keys() - covered) if best and score > 0 else 0.0
        if best is None or not (shared >= (ADDS if chosen else ENOUGH) * total or _tells(best, target, parts)):
            break
        if not chosen and len(best.terms & target.terms) < min(2, len(target.terms)):
            break
        chosen.append(best.span)
        covered |= best.terms
        target = _Part(target.span, target.terms, target.numbers - best.numbers)
    return sorted(chosen)


def _gain(part: _Part, weight: dict[int, float], covered: frozenset[int]) -> float:
    """Return the weight that a part adds; among equal ones the shorter part wins."""
    shared = sum(weight[term] for term in part.terms & weight.keys() - covered)
    return shared - 0.001 * len(part.terms)


def _tells(part: _Part, target: _Part, parts: list[_Part]) -> bool:
    """Return whether only this part has a number or code of the claim: numbers match across languages too."""
    own = part.numbers & target.numbers
    return any(sum(number in other.numbers for other in parts) == 1 for number in own)


def _part(text: str, span: Span, language: str) -> _Part:
    function_words = FUNCTION_WORDS.get(language, frozenset())
    words = set(words_split(text)) - function_words
    numbers = frozenset(word for word in words if len(word) > 1 and not word.isalpha())
    return _Part(span, frozenset(term_number(word, language) for word in words), numbers)


def _joined(spans: list[Span], passage: str) -> list[Span]:
    """Join neighbours on one line."""
    joined: list[Span] = []
    for start, end in spans:
        between = passage[joined[-1][1] : start] if joined else "-"
        if between.isspace() or not between:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined
