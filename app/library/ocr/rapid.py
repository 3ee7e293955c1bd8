"""The engine RapidOCR with the models of its package (PP-OCRv6) for all languages; part of the confined program."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from rapidocr import RapidOCR

from app.library.ocr.protocol import Image, Piece, Recognised

# Pieces with less are mostly no text.
_LEAST_CONFIDENCE = 0.5
# From this certainty on the engine turns a piece that stands upside down.
_SURE = 0.9
# Pieces at least this many times taller than wide are turned by a quarter, as the engine has it too.
_TALL = 1.5
_LEAST_CHARS = 3


class _Engine(RapidOCR):  # type: ignore[misc]  # the package has no types
    """The engine, which also keeps how many pieces of the last image stood upside down."""

    upside_down = 0.0

    def cls_and_rotate(self, img: list[Any]) -> Any:
        images, found = super().cls_and_rotate(img)
        turned = sum(1 for label, score in found.cls_res if label == "180" and score > _SURE)
        self.upside_down = turned / max(1, len(found.cls_res))
        return images, found


class RapidRecogniser:
    """The engine with its models loaded: afterwards it opens no file."""

    def __init__(self, *, threads: int) -> None:
        parameters = {
            "Global.log_level": "critical",
            "Global.text_score": _LEAST_CONFIDENCE,
            "EngineConfig.onnxruntime.intra_op_num_threads": threads,
        }
        self.engine = _Engine(params=parameters)
        blank = np.full((64, 256, 3), 255, np.uint8)
        self.engine(blank)
        self.engine(blank, use_det=False)

    def recognise(self, image: Image) -> Recognised:
        # The engine expects blue first.
        found = self.engine(np.ascontiguousarray(image[:, :, ::-1]), use_det=True)
        if not found.txts:
            return Recognised(())
        pieces = tuple(
            Piece(text, float(score), tuple(float(side) for side in corners.reshape(8)))
            for text, score, corners in zip(found.txts, found.scores, found.boxes, strict=True)
        )
        return Recognised(pieces, _turn(pieces, self.engine.upside_down))


def _turn(pieces: Sequence[Piece], upside_down: float) -> int:
    """Return the quarter turns of a page. The engine reads turned pieces too, but not in the order of the text."""
    long = [piece for piece in pieces if len(piece.text) >= _LEAST_CHARS]
    tall = sum(1 for piece in long if _height(piece) > _TALL * _width(piece))
    if 2 * tall > len(long):
        return 3 if upside_down > 0.5 else 1
    return 2 if upside_down > 0.5 else 0


def _width(piece: Piece) -> float:
    return max(piece.corners[::2]) - min(piece.corners[::2])


def _height(piece: Piece) -> float:
    return max(piece.corners[1::2]) - min(piece.corners[1::2])
