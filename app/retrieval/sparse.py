"""BM25 as sparse vectors: words, stemmed in the language of the text, each a 32-bit number with a weight.

Documents carry the saturated term frequency, queries the weight 1, and Qdrant multiplies by the inverse document
frequency (its `idf` modifier). The average length is fixed, since a vector cannot change when others are added.

A question may be in another language than the documents, and too short to tell its own, so its words are stemmed in
each language that comes into question; a document's word has one stem, so it is found once.
"""

import re
import sys
import threading
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

import Stemmer

from app.retrieval.language import FUNCTION_WORDS, STEMMERS, language_of

# Saturation, length penalty, and the words of an average chunk without function words: docs/retrieval.md has the
# measurement; nDCG@10 moves by less than .005 around them.
K1, B, AVERAGE_WORDS = 1.2, 0.75, 120.0
# Languages whose stems a question carries when neither it nor the caller tells one.
USUAL_LANGUAGES = ("en", "de", "fr", "es")


class SparseVector(NamedTuple):
    indices: list[int]
    values: list[float]


def _class_of_marks() -> str:
    """Vowel signs and accents belong to a word, but \\w leaves them out: Hindi and Thai would fall apart."""
    marks = (chr(code) for code in range(0x300, 0x3100) if unicodedata.category(chr(code))[0] == "M")
    return "".join(marks)


# One pass, nothing to go back to: linear. Parts joined by one of - . / ' stay together, as in X-200 or 3.5.
_PART = rf"[\w{_class_of_marks()}]+"
_TOKEN = re.compile(rf"{_PART}(?:[-./'’]{_PART})*")
_PARTS = re.compile(_PART)
# Scripts without spaces, and Hangul, whose endings are glued on: pairs of characters instead of words.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]+"
)
_LONGEST_WORD = 64

_local = threading.local()


def _stemmer(language: str) -> Stemmer.Stemmer | None:
    """A stemmer of this thread: they are not safe to share."""
    known: dict[str, Stemmer.Stemmer] | None = getattr(_local, "stemmers", None)
    if known is None:
        known = _local.stemmers = {}
    if language not in known and language in STEMMERS:
        known[language] = Stemmer.Stemmer(STEMMERS[language])
    return known.get(language)


def words_of(text: str) -> Iterator[str]:
    """Lower-case words: parts of joined ones, joined ones with digits whole too, pairs of unspaced characters."""
    for token in _TOKEN.findall(unicodedata.normalize("NFKC", text).casefold()):
        parts = _PARTS.findall(token)
        if len(parts) > 1:
            joined = "".join(parts)
            if any(map(str.isdigit, joined)):
                yield joined[:_LONGEST_WORD]
        for part in parts:
            if part.isascii():
                yield part[:_LONGEST_WORD]
            else:
                yield from _pairs_and_words(part)


def _pairs_and_words(part: str) -> Iterator[str]:
    end = 0
    for run in _UNSPACED.finditer(part):
        if run.start() > end:
            yield part[end : run.start()][:_LONGEST_WORD]
        characters = run.group()
        if len(characters) == 1:
            yield characters
        for first in range(len(characters) - 1):
            yield characters[first : first + 2]
        end = run.end()
    if end < len(part):
        yield part[end:][:_LONGEST_WORD]


def _plain(word: str) -> str:
    """Without accents on Latin letters, which people leave out: após is apos. Elsewhere a mark is a letter."""
    if word.isascii() or not word[0] < "\u0250":
        return word
    return "".join(letter for letter in unicodedata.normalize("NFD", word) if not unicodedata.combining(letter))


@lru_cache(maxsize=50_000)
def term_of(word: str, language: str) -> int:
    """The word's number in a language. Two words may share one (1 in 4,000 of a million words does); it costs rank."""
    stemmer = _stemmer(language)
    stem = stemmer.stemWord(word) if stemmer is not None else word
    return zlib.crc32(_plain(sys.intern(stem)).encode())


def document_encode(text: str, *, language: str = "") -> SparseVector:
    """The BM25 vector of a passage. `language`: of its document, taken when the passage itself does not tell."""
    spoken = language_of(text, hint=language)
    skipped = FUNCTION_WORDS.get(spoken, frozenset())
    counts = Counter(term_of(word, spoken) for word in words_of(text) if word not in skipped)
    norm = K1 * (1 - B + B * sum(counts.values()) / AVERAGE_WORDS)
    return SparseVector(list(counts), [count * (K1 + 1) / (count + norm) for count in counts.values()])


def question_words(text: str, spoken: str) -> list[str]:
    """The words of a question that carry meaning, each once, in order."""
    skipped = FUNCTION_WORDS.get(spoken, frozenset())
    return list(dict.fromkeys(word for word in words_of(text) if word not in skipped))


def query_encode(text: str, *, languages: Iterable[str] = ()) -> SparseVector:
    """The vector of a question. `languages`: of the documents, when known. Empty for a question of function words.

    The words are stemmed in the question's language and the documents'; in the usual ones when neither is known. Each
    further language finds some words that are not meant: three of them cost .004 nDCG@10 on English questions.
    """
    spoken = language_of(text)
    stemmed = {*languages, *([spoken] if spoken else [])} or set(USUAL_LANGUAGES)
    terms = {term_of(word, language) for word in question_words(text, spoken) for language in stemmed}
    return SparseVector(list(terms), [1.0] * len(terms))
