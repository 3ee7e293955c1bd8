"""The protocol of engines that recognise text."""

from dataclasses import dataclass
from typing import Any, Protocol

# Corners of a piece of text in pixels of the shown page: x and y of four corners in order around it.
Corners = tuple[float, ...]
Image = Any  # of numpy, uint8, height × width × 3, red first


@dataclass(frozen=True, slots=True)
class Piece:
    """Words that stand together on one line. confidence: 0 to 1."""

    text: str
    confidence: float
    corners: Corners


@dataclass(frozen=True, slots=True)
class Recognised:
    """The text of an image. turn: quarter turns clockwise by which the image is turned against its text, 0 to 3."""

    pieces: tuple[Piece, ...]
    turn: int = 0


class Recogniser(Protocol):
    """Recognise the words of an image."""

    def recognise(self, image: Image) -> Recognised: ...
