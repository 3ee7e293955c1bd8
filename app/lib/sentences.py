"""Split text into sentences, in one pass and for most scripts.

A line end always ends a sentence: our texts keep line ends only after a heading, an item, a row or a paragraph.
"""

import re

# A run of marks that can end a sentence, and the closing quotes and brackets that belong to it.
_CANDIDATE = re.compile(r"(?:(?P<full>[。！？｡]+)|(?P<mark>[.!?…؟।]+))[\"'”’»)\]」』）]*|\n")
_NOT_SPACE = re.compile(r"\S")
_WORD_BEFORE = re.compile(r"[^\s(\[\"'“‘„«]*\Z")
# Longer than the longest abbreviation below: an unlimited look-back would be quadratic for long words.
_LOOK_BACK = 16

# Abbreviations that never end a sentence.
_ENGLISH = {"mr", "mrs", "ms", "dr", "prof", "st", "mt", "gen", "col", "sgt", "capt", "rev", "hon", "sen", "rep", "gov"}
_ENGLISH |= {
    "messrs",
    "vs",
    "cf",
    "fig",
    "figs",
    "eq",
    "eqs",
    "ref",
    "refs",
    "para",
    "pp",
    "vol",
    "ed",
    "eds",
    "approx",
}
_GERMAN = {
    "z.b",
    "d.h",
    "u.a",
    "bzw",
    "ca",
    "nr",
    "str",
    "abs",
    "hr",
    "fr",
    "bspw",
    "evtl",
    "ggf",
    "vgl",
    "sog",
    "inkl",
}
_OTHER = {"e.g", "i.e", "mme", "mlle", "sr", "sra", "dña", "p.ej", "núm", "pág", "av"}
_NEVER_LAST = frozenset(_ENGLISH | _GERMAN | _OTHER)
# Abbreviations that do not end a sentence when a number follows.
_BEFORE_NUMBER = frozenset({"no", "nos", "p", "sec", "ch", "chap", "tel", "art", "pos", "item", "ver", "v"})
_MONTHS = ("Januar", "Jänner", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober")
_AFTER_GERMAN_ORDINAL = (*_MONTHS, "November", "Dezember", "Quartal", "Jahrhundert")


def sentences(text: str) -> list[tuple[int, int]]:
    """Return (start, end) of each sentence, without surrounding white space; other characters are in exactly one."""
    spans: list[tuple[int, int]] = []
    start = 0
    for match in _CANDIDATE.finditer(text):
        end = match.end()
        if match.lastgroup == "mark" and not _ends_sentence(text, start, match.start("mark"), match.end("mark"), end):
            continue
        _add(spans, text, start, end)
        start = end
    _add(spans, text, start, len(text))
    return spans


def _add(spans: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    first = _NOT_SPACE.search(text, start, end)
    if first is None:
        return
    while text[end - 1].isspace():
        end -= 1
    spans.append((first.start(), end))


def _ends_sentence(text: str, start: int, mark: int, mark_end: int, end: int) -> bool:
    """Return whether marks end a sentence.

    mark: index of the first mark; mark_end: after the last; end: after the closing quotes.
    """
    if end == len(text):
        return True
    if not text[end].isspace():
        return False
    following = _NOT_SPACE.search(text, end, end + _LOOK_BACK)
    if following is None or text[following.start()] == "\n":
        return True
    after = text[following.start()]
    if after.islower() and (text[mark_end - 1] in ".…" or end > mark_end):
        return False
    return text[mark:mark_end] != "." or not _is_abbreviation(text, start, mark, following.start())


def _is_abbreviation(text: str, start: int, mark: int, following: int) -> bool:
    match = _WORD_BEFORE.search(text, max(start, mark - _LOOK_BACK), mark)
    word = match.group() if match else ""
    if not word:
        return False
    if len(word) == 1 and word.isalpha() and word.isupper():
        return word != "I"
    lowered = word.lower()
    if lowered in _NEVER_LAST:
        return True
    after = text[following : following + 12]
    if lowered in _BEFORE_NUMBER:
        return after[0].isdigit()
    if word.isdigit():
        at_start = not text[start : mark - len(word)].strip()
        return at_start or (len(word) <= 2 and after.startswith(_AFTER_GERMAN_ORDINAL))
    return False
