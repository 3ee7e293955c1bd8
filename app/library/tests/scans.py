"""Pictures of text made for tests."""

from collections.abc import Sequence
from io import BytesIO
from typing import Any

from PIL import Image, ImageDraw, ImageFont
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from app.library.tests.pdfs import HEIGHT, WIDTH

LETTER = ("The pump of hall seven stands still.", "Its seal leaks 40 litres an hour.", "Order part E-2172 in Bremen.")


def page(lines: Sequence[str] = LETTER, *, size: tuple[int, int] = (900, 500)) -> Image.Image:
    picture = Image.new("RGB", size, "white")
    font = ImageFont.load_default(size=36)
    for number, line in enumerate(lines):
        ImageDraw.Draw(picture).text((60, 60 + 60 * number), line, fill="black", font=font)
    return picture


def data(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def draw_scan(canvas: Canvas) -> None:
    """Draw a page of a PDF that is a picture of the letter."""
    canvas.drawImage(ImageReader(page(size=(900, 1270))), 0, 0, WIDTH, HEIGHT)
