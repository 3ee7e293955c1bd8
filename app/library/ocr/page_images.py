"""The pages of a scan as images; part of the confined program. Only the format that was detected is tried."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pypdfium2
from PIL import Image as Pictures
from PIL import ImageOps

from app.library.ocr.protocol import Image
from app.library.parsers.blocks import ParseError
from app.library.parsers.media import PDF

# The engine scales longer sides down to this: A4 at 170 dots an inch.
LONGEST_SIDE = 2000
# Twice: a picture is scaled down in two steps, the second one smoothly.
_KEPT_SIDE = 2 * LONGEST_SIDE
PIXELS_MOST = 100_000_000
PAGES_MOST = 10_000
_FORMATS = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/gif": "GIF",
    "image/bmp": "BMP",
    "image/tiff": "TIFF",
    "image/webp": "WEBP",
}


class PageImages:
    """The pages of a PDF or a picture, numbered from 1. Errors: broken_file, file_too_complex, unsupported_type."""

    def __init__(self, path: Path, media_type: str) -> None:
        self._draw: Callable[[int], Image]
        if media_type == PDF:
            try:
                self._document = pypdfium2.PdfDocument(path)
            except pypdfium2.PdfiumError as error:
                raise ParseError("broken_file", "not a readable PDF") from error
            self.count, self._draw = len(self._document), self._pdf_page
        else:
            self._picture = _opened(path, media_type)
            # An animation is read by its first image; each page of a TIFF is a page.
            self.count = getattr(self._picture, "n_frames", 1) if media_type == "image/tiff" else 1
            self._draw = self._frame
        if self.count > PAGES_MOST:
            raise ParseError("file_too_complex", f"{self.count:,} pages")

    def image(self, number: int) -> Image | None:
        """Return a page, or None for one that cannot be drawn though others can. Errors: as above."""
        try:
            return self._draw(number)
        except (OSError, SyntaxError, ValueError, pypdfium2.PdfiumError) as error:
            if self.count > 1:
                return None
            raise ParseError("broken_file", type(error).__name__) from error

    def _pdf_page(self, number: int) -> Image:
        page = self._document[number - 1]
        try:
            scale = min(LONGEST_SIDE / max(1.0, *page.get_size()), 400 / 72)
            return np.asarray(page.render(scale=scale, may_draw_forms=False).to_pil().convert("RGB"))
        finally:
            page.close()

    def _frame(self, number: int) -> Image:
        picture = self._picture
        picture.seek(number - 1)
        check_size(picture)
        picture.draft("RGB", (_KEPT_SIDE, _KEPT_SIDE))
        return np.asarray(upright(picture, _KEPT_SIDE))


def _opened(path: Path, media_type: str) -> Pictures.Image:
    name = _FORMATS.get(media_type)
    if name is None:
        raise ParseError("unsupported_type", f"a picture of the kind {media_type.removeprefix('image/')}")
    # The check of sizes is ours; this one only warns at first.
    Pictures.MAX_IMAGE_PIXELS = None
    try:
        return Pictures.open(path, formats=[name])
    except (OSError, SyntaxError, ValueError) as error:
        raise ParseError("broken_file", "not a readable picture") from error


def check_size(picture: Pictures.Image) -> None:
    """Check the size that a picture states, before its pixels are read. Raises ParseError."""
    width, height = picture.size
    if width * height > PIXELS_MOST:
        raise ParseError("file_too_complex", f"{width:,} × {height:,} pixels, at most {PIXELS_MOST // 10**6} million")


def upright(picture: Pictures.Image, longest: int) -> Pictures.Image:
    """Return a picture as people see it: scaled down, turned as its camera says, on white, in red, green and blue."""
    if picture.mode.startswith("I;16") or picture.mode in ("I", "F"):
        values = np.asarray(picture, dtype=np.float32)
        low, high = float(values.min()), float(values.max())
        picture = Pictures.fromarray(((values - low) * (255 / max(1.0, high - low))).astype(np.uint8))
    if max(picture.size) > longest:
        if picture.mode == "P":
            picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
        picture.thumbnail((longest, longest), Pictures.Resampling.BILINEAR, reducing_gap=2.0)
    turned = ImageOps.exif_transpose(picture)
    if turned.mode in ("RGBA", "LA", "PA") or "transparency" in turned.info:
        clear = turned.convert("RGBA")
        white = Pictures.new("RGBA", clear.size, "white")
        white.alpha_composite(clear)
        turned = white
    return turned.convert("RGB")
