"""Answers without a language model: the most relevant sentences of the passages, quoted, each with its citation.

Scored by the question's words (stems, weighted by how few sentences hold them), by the words of the heading above,
by the kind of thing that is asked for (a number, a date, a name) and by the passage's rank. Deterministic: the same
passages and the same question give the same answer. bench/README.md has the measurements behind the weights.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from app.chat.citations import Citation
from app.chat.units import COLUMN, is_row, units
from app.retrieval.language import FUNCTION_WORDS, language_detect
from app.retrieval.sparse import term_number, words_split

MOST_SENTENCES = 4
MOST_PASSAGES = 3
LONGEST = 900  # characters of one quoted sentence; a longer one is cut at a word
READ = 5  # passages that are read, in rank order

HEADING_SHARE = 0.5  # of a word's weight, when only the heading or the document's name contains it
NEAR_SHARE = 0.5  # of the score of the previous sentence: an answer often follows the sentence that names its subject
KIND_BONUS = 0.3
RANK_PENALTY = 0.06  # per rank
ENOUGH = 0.7  # of the best score, required for a further sentence
NOVEL = 0.06  # of the question's weight that a further sentence must add, unless it scores nearly as high as the best
WORDS_COMFORTABLE = 40  # longer sentences lose a little of their score

_DIGITS = re.compile(r"\d")
_DATE = re.compile(
    r"\d|\b(?:jan|feb|mar|mär|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|dec|dez|ene|abr|ago|dic)[a-zéü]*\b"
    r"|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b|\b(?:day|days|week|weeks|month|year|today|century)\b",
    re.IGNORECASE,
)
_NUMBER_WORD = re.compile(
    r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twelve|half|twice|once|dozen|hundred|thousand|million"
    r"|ein\w*|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez)\b",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<!^)(?<![.!?]\s)\b[^\W\d_a-zà-öø-ÿ][\w’'-]+")
# The kind of answer that a question asks for, by how it begins; the first that fits counts.
_KINDS: tuple[tuple[re.Pattern[str], tuple[re.Pattern[str], ...]], ...] = (
    (
        re.compile(
            r"\b(?:how (?:many|much|long|old|far|often|big|large|high|tall|heavy|fast|deep|hot|wide|late|early)"
            r"|what (?:is the )?(?:number|percentage|price|cost|amount|temperature|size|population)"
            r"|wie\s?(?:viel\w*|lange?|oft|alt|hoch|weit|groß|schwer|schnell)|wieviel\w*|cuánt\w+|combien)\b",
            re.IGNORECASE,
        ),
        (_DIGITS, _NUMBER_WORD),
    ),
    (
        re.compile(
            r"\b(?:when|(?:what|which|in what) (?:year|day|date|month|time|century|decade)|until when|wann|bis wann"
            r"|in welche[mr] jahr|cuándo|qué año|quand)\b",
            re.IGNORECASE,
        ),
        (_DATE,),
    ),
    (re.compile(r"\b(?:who|whom|whose|wer|wen|wem|wessen|quién|quiénes|qui)\b", re.IGNORECASE), (_NAME,)),
    (
        re.compile(r"\b(?:where|wo|wohin|woher|dónde|où|(?:what|which) (?:city|country|place))\b", re.IGNORECASE),
        (_NAME,),
    ),
)
_CARRIES_ON = re.compile(
    r"(?:it|they|this|that|these|those|he|she|its|their|his|her|however|but|also|then|there|er|sie|es|dies\w*|das"
    r"|diese\w*|jedoch|aber|auch|ello|esto|eso|este|esta|estos|estas|él|ella|ellos|sin embargo|pero)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Readable:
    """A passage as read for an answer. context: its document's name and headings. kind: the kind of its place."""

    rank: int
    text: str
    context: str = ""
    kind: str = "text"


@dataclass(slots=True)
class _Sentence:
    passage: int  # index in rank order
    position: int
    text: str
    terms: frozenset[int]
    words: int
    score: float = 0.0
    weights: dict[int, float] = field(default_factory=dict)  # of the question's words in the sentence


@dataclass(frozen=True, slots=True)
class Extract:
    """The answer's text and its citations."""

    text: str
    citations: list[Citation]


def extract_make(*, question: str, passages: Sequence[Readable]) -> Extract | None:
    """Return quotes of 1 to 4 sentences from 1 to 3 passages; None when no sentence has a word of the question."""
    passages = passages[:READ]
    language = language_detect("\n".join(passage.text[:500] for passage in passages), hint=language_detect(question))
    stems = _question_stems(question, language)
    candidates = [
        sentence for index, passage in enumerate(passages) for sentence in _sentences_of(passage, index, language)
    ]
    if not stems or not candidates:
        return None
    _score(question, stems, passages, candidates, language)
    chosen = _choose(candidates)
    return _write(chosen, passages) if chosen else None


def _question_stems(question: str, language: str) -> list[frozenset[int]]:
    """Return the question's words, each as its stems in its own language and the passages'."""
    own = language_detect(question, hint=language)
    function_words = FUNCTION_WORDS.get(own, frozenset())
    words = list(dict.fromkeys(words_split(question)))
    kept = [word for word in words if word not in function_words] or words
    return list(dict.fromkeys(frozenset({term_number(word, language), term_number(word, own)}) for word in kept))


def _sentences_of(passage: Readable, index: int, language: str) -> list[_Sentence]:
    parts: list[_Sentence] = []
    for position, (start, end) in enumerate(units(passage.text)):
        text = passage.text[start:end]
        words = words_split(text)
        if words:
            parts.append(
                _Sentence(index, position, text, frozenset(term_number(word, language) for word in words), len(words))
            )
    return parts


def _score(
    question: str,
    stems: list[frozenset[int]],
    passages: Sequence[Readable],
    candidates: list[_Sentence],
    language: str,
) -> None:
    counts = Counter(place for sentence in candidates for place, word in enumerate(stems) if word & sentence.terms)
    weight = [math.log(1 + len(candidates) / (1 + counts[place])) for place in range(len(stems))]
    # A word in no sentence cannot rank sentences, but counts in the total: an answer without it is incomplete.
    total = sum(weight) or 1.0
    kinds = next((answers for asks, answers in _KINDS if asks.search(question)), ())
    contexts = [frozenset(term_number(word, language) for word in words_split(passage.context)) for passage in passages]
    before: _Sentence | None = None
    heading: frozenset[int] = frozenset()
    for sentence in candidates:
        if before is None or before.passage != sentence.passage:
            before, heading = None, frozenset()
        sentence.weights = {place: weight[place] / total for place, word in enumerate(stems) if word & sentence.terms}
        around = contexts[sentence.passage] | heading
        score = sum(sentence.weights.values())
        score += HEADING_SHARE * sum(
            weight[place] / total for place, word in enumerate(stems) if place not in sentence.weights and word & around
        )
        if before is not None:
            near = sum(share for place, share in before.weights.items() if place not in sentence.weights)
            score += NEAR_SHARE * near
        if score and kinds and any(kind.search(sentence.text) for kind in kinds):
            score += KIND_BONUS * min(1.0, score * 2)
        score -= RANK_PENALTY * sentence.passage
        if sentence.words > WORDS_COMFORTABLE:
            score -= 0.05 * (sentence.words / WORDS_COMFORTABLE - 1)
        if _is_heading(sentence.text):
            heading, score = sentence.terms, score * 0.3
        sentence.score = score
        before = sentence


def _is_heading(text: str) -> bool:
    """Return whether a line is short and without a final mark or number, as rows and list items have one."""
    return (
        len(text) < 60
        and text[-1].isalnum()
        and not any(mark in text for mark in ":;|,\t")
        and not _DIGITS.search(text)
    )


def _choose(candidates: list[_Sentence]) -> list[_Sentence]:
    """Choose the best sentence, and further ones that score nearly as high or add words of the question."""
    ranked = sorted(candidates, key=lambda sentence: (-sentence.score, sentence.passage, sentence.position))
    best = ranked[0]
    if best.score <= 0 or not best.weights:
        return []
    # Rows of one table share many words; the rarest one of the question tells which row is meant.
    rarest = max(best.weights, key=lambda place: best.weights[place])
    chosen, seen = [best], set(best.weights)
    texts = {best.text}
    for sentence in ranked[1:]:
        if len(chosen) == MOST_SENTENCES or sentence.score < ENOUGH * best.score:
            break
        passages = {other.passage for other in chosen} | {sentence.passage}
        added = sum(share for place, share in sentence.weights.items() if place not in seen)
        if len(passages) > MOST_PASSAGES or sentence.text in texts or _is_heading(sentence.text):
            continue
        if is_row(best.text) and is_row(sentence.text) and rarest not in sentence.weights:
            continue
        if added >= NOVEL or sentence.score >= 0.9 * best.score:
            chosen.append(sentence)
            texts.add(sentence.text)
            seen |= set(sentence.weights)
    return _with_rows(_with_predecessor(chosen, candidates), candidates)


def _with_predecessor(chosen: list[_Sentence], candidates: list[_Sentence]) -> list[_Sentence]:
    """Add the best sentence's predecessor when the sentence begins with a word that refers back to it."""
    best = chosen[0]
    if len(chosen) < MOST_SENTENCES and _CARRIES_ON.match(best.text):
        before = next(
            (
                sentence
                for sentence in candidates
                if (sentence.passage, sentence.position) == (best.passage, best.position - 1)
            ),
            None,
        )
        if before is not None and before not in chosen and not _is_heading(before.text):
            chosen.append(before)
    return chosen


def _with_rows(chosen: list[_Sentence], candidates: list[_Sentence]) -> list[_Sentence]:
    """Add rows of a table to its header row, which alone answers nothing."""
    best = chosen[0]
    own = {sentence.position: sentence for sentence in candidates if sentence.passage == best.passage}
    before = own.get(best.position - 1)
    if COLUMN not in best.text or (before is not None and COLUMN in before.text):
        return chosen
    for position in range(best.position + 1, best.position + MOST_SENTENCES):
        row = own.get(position)
        if row is None or COLUMN not in row.text or len(chosen) == MOST_SENTENCES:
            break
        if row not in chosen:
            chosen.append(row)
    return chosen


def _write(chosen: list[_Sentence], passages: Sequence[Readable]) -> Extract:
    """Write a paragraph for each passage, ordered by their best sentences; inside it the passage's order is kept."""
    order = list(dict.fromkeys(sentence.passage for sentence in chosen))
    text, citations = "", []
    for n, index in enumerate(order, 1):
        passage = passages[index]
        own = sorted(
            (sentence for sentence in chosen if sentence.passage == index), key=lambda sentence: sentence.position
        )
        for quote in _joined(own, rows=passage.kind == "row"):
            text += "\n\n" if text else ""
            start = len(text)
            text += f"{quote} [{n}]"
            citations.append(Citation(n, passage.rank, start, len(text)))
    return Extract(text, citations)


def _joined(own: list[_Sentence], *, rows: bool) -> list[str]:
    """Join neighbours into one quotation; rows of a table stay single, without quotation marks."""
    quotes: list[str] = []
    last = -2
    for sentence in own:
        words = _cut(sentence.text)
        if rows or is_row(words):
            quotes.append(words)
        elif sentence.position == last + 1 and quotes[-1].endswith("”"):
            quotes[-1] = f"{quotes[-1][:-1]} {words}”"
        else:
            quotes.append(f"“{words}”")
        last = sentence.position
    return quotes


def _cut(text: str) -> str:
    """Return the text on a single line, cut at a word when it is too long."""
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[:LONGEST].rsplit(" ", 1)[0] + " …"
