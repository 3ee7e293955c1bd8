"""BM25 as sparse vectors: words stemmed in the language of the text, each a 32-bit number with a weight.

Documents have the saturated term frequency, queries the weight 1, and Qdrant multiplies by the inverse document
frequency (its `idf` modifier). The average length is fixed, since a vector cannot change when others are added.

A question may be in another language than the documents, and too short to detect its own, so its words are stemmed
in each candidate language; a document's word has one stem, so it matches once.
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

from app.retrieval.language import FUNCTION_WORDS, STEMMERS, language_detect

# Saturation, length penalty, and the words of an average chunk without function words: bench/README.md has the
# measurement; nDCG@10 moves by less than .005 around them.
K1, B, AVERAGE_WORDS = 1.2, 0.75, 120.0
# Languages in which a question is stemmed when neither it nor the caller indicates one.
USUAL_LANGUAGES = ("en", "de", "fr", "es")


class SparseVector(NamedTuple):
    indices: list[int]
    values: list[float]


def _combining_marks() -> str:
    """Return vowel signs and accents, which are part of words although \\w omits them: Hindi and Thai need them."""
    marks = (chr(code) for code in range(0x300, 0x3100) if unicodedata.category(chr(code))[0] == "M")
    return "".join(marks)


# Linear: one pass without backtracking. Parts joined by one of - . / ' stay together, as in X-200 or 3.5.
_PART = rf"[\w{_combining_marks()}]+"
_TOKEN = re.compile(rf"{_PART}(?:[-./'’]{_PART})*")
_ASCII_TOKEN = re.compile(r"[a-z0-9_]+(?:[-./'][a-z0-9_]+)*")  # the same for folded ASCII, without the long class
_PARTS = re.compile(_PART)
# Scripts without spaces, and Hangul, whose endings are attached: pairs of characters instead of words.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]+"
)
# A raised or lowered digit after a digit is a note or a power, no further digit of the number: 250¹, 10⁶.
_RAISED_DIGIT = re.compile(r"(?<=[0-9])(?=[\u2070-\u209c\u00b9\u00b2\u00b3])")
_LONGEST_WORD = 64

_local = threading.local()


def _stemmer(language: str) -> Stemmer.Stemmer | None:
    """Return this thread's stemmer: stemmers are not thread-safe."""
    stemmers: dict[str, Stemmer.Stemmer] | None = getattr(_local, "stemmers", None)
    if stemmers is None:
        stemmers = _local.stemmers = {}
    if language not in stemmers and language in STEMMERS:
        stemmers[language] = Stemmer.Stemmer(STEMMERS[language])
    return stemmers.get(language)


def words_split(text: str) -> list[str]:
    """Return lower-case words: parts of joined ones, joined ones with digits whole too, pairs in unspaced scripts."""
    if not text.isascii():
        text = _RAISED_DIGIT.sub(" ", text)
    folded = unicodedata.normalize("NFKC", text).casefold()
    tokens: list[str] = (_ASCII_TOKEN if folded.isascii() else _TOKEN).findall(folded)
    letters = "".join(tokens)
    # Most sentences: each token is a word. Four times as fast, and a turn splits up to 10,000 characters.
    if letters.isascii() and letters.isalnum() and max(map(len, tokens)) <= _LONGEST_WORD:
        return tokens
    return list(_words_of_tokens(tokens))


def _words_of_tokens(tokens: Iterable[str]) -> Iterator[str]:
    for token in tokens:
        if token.isascii() and token.isalnum():
            yield token[:_LONGEST_WORD]
            continue
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
    """Return the word without accents on Latin letters, often omitted: após is apos. In other scripts marks stay."""
    if word.isascii() or not word[0] < "\u0250":
        return word
    return "".join(letter for letter in unicodedata.normalize("NFD", word) if not unicodedata.combining(letter))


@lru_cache(maxsize=50_000)
def term_number(word: str, language: str) -> int:
    """Return the word's number in a language. Two words may share one (1 in 4,000 of a million), at a cost in rank."""
    stemmer = _stemmer(language)
    stem = stemmer.stemWord(word) if stemmer is not None else word
    return zlib.crc32(_plain(sys.intern(stem)).encode())


def document_encode(text: str, *, language: str = "") -> SparseVector:
    """Return the BM25 vector of a passage. `language`: its document's, for a passage whose own is not detected."""
    detected = language_detect(text, hint=language)
    function_words = FUNCTION_WORDS.get(detected, frozenset())
    counts = Counter(term_number(word, detected) for word in words_split(text) if word not in function_words)
    norm = K1 * (1 - B + B * sum(counts.values()) / AVERAGE_WORDS)
    return SparseVector(list(counts), [count * (K1 + 1) / (count + norm) for count in counts.values()])


def question_words(text: str, detected: str) -> list[str]:
    """Return the content words of a question, each once, in order."""
    function_words = FUNCTION_WORDS.get(detected, frozenset())
    return list(dict.fromkeys(word for word in words_split(text) if word not in function_words))


def query_encode(text: str, *, languages: Iterable[str] = ()) -> SparseVector:
    """Return the vector of a question, empty for function words alone. `languages`: the documents', when known.

    The words are stemmed in the question's language and the documents'; in USUAL_LANGUAGES when neither is
    stemmers. Each further language matches some unintended words: three of them cost .004 nDCG@10 on English questions.
    """
    detected = language_detect(text)
    stem_languages = {*languages, *([detected] if detected else [])} or set(USUAL_LANGUAGES)
    terms = {term_number(word, language) for word in question_words(text, detected) for language in stem_languages}
    return SparseVector(list(terms), [1.0] * len(terms))
