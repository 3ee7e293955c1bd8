"""Repair of the Arabic ligature of lam and alef, whose two letters PDFium gives in the wrong order."""

import re
from collections.abc import Callable, Iterator

Box = tuple[float, float, float, float]

# PDFium turns the two letters of one glyph around with the rest of the line.
_ALEF_LAM = re.compile("[\u0622\u0623\u0625\u0627]\u0644")
_SAME_POINTS = 0.01


def ligatures(text: str, box: Callable[[int], Box | None]) -> Iterator[tuple[int, int, str]]:
    """Yield (start, end, letters in order) of ligatures in a line. box: of a character of the text, if it has one."""
    for match in _ALEF_LAM.finditer(text):
        alef, lam = box(match.start()), box(match.start() + 1)
        # Letters with boxes of their own are the article al-, in the right order already.
        if alef and lam and abs(alef[0] - lam[0]) < _SAME_POINTS and abs(alef[2] - lam[2]) < _SAME_POINTS:
            yield *match.span(), match.group()[::-1]
