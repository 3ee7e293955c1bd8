"""Draw one page of a PDF or a picture in a process with little memory and time: `render_page.py FILE KIND PAGE OUT`.

Run as a file, without the rest of Refdesk; it ends with status 0, or with one of the numbers below.
"""

import resource
import sys

import pypdfium2
from PIL import Image, ImageOps

WIDTH = 1400  # sharp on a panel 700 points wide on a dense screen
HEIGHT_MOST = 5600  # a receipt one metre long is drawn narrower
MEMORY_BYTES = 1024**3
CPU_S = 20
# As app/library/ocr/page_images.py has it.
PIXELS_MOST = 100_000_000
NO_PAGE, BROKEN = 3, 4


def main(source: str, kind: str, page_number: int, target: str) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        picture = pdf_page(source, page_number) if kind == "PDF" else frame(source, kind, page_number)
        if picture is None:
            return NO_PAGE
        picture.save(target, "PNG", compress_level=4)
    except (pypdfium2.PdfiumError, MemoryError, OSError, SyntaxError, ValueError):
        return BROKEN
    return 0


def pdf_page(source: str, page_number: int) -> Image.Image | None:
    document = pypdfium2.PdfDocument(source)
    if not 1 <= page_number <= len(document):
        return None
    page = document[page_number - 1]
    width, height = page.get_size()
    scale = min(WIDTH / max(width, 1), HEIGHT_MOST / max(height, 1))
    drawn: Image.Image = page.render(scale=scale).to_pil().convert("RGB")
    return drawn


def frame(source: str, kind: str, page_number: int) -> Image.Image | None:
    """Return a picture, or one page of a TIFF, on white and turned as its camera says. kind: Pillow's name."""
    Image.MAX_IMAGE_PIXELS = PIXELS_MOST // 2  # Pillow refuses twice as many
    picture: Image.Image = Image.open(source, formats=[kind])
    if not 1 <= page_number <= (getattr(picture, "n_frames", 1) if kind == "TIFF" else 1):
        return None
    picture.seek(page_number - 1)
    if picture.size[0] * picture.size[1] > PIXELS_MOST:
        raise ValueError
    picture.draft("RGB", (2 * WIDTH, 2 * WIDTH))
    if picture.mode.startswith("I;16"):
        picture = picture.point(lambda value: value / 256).convert("L")
    elif picture.mode == "P":
        picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    picture.thumbnail((WIDTH, HEIGHT_MOST), Image.Resampling.LANCZOS, reducing_gap=2.0)
    turned = ImageOps.exif_transpose(picture)
    if turned.mode in ("RGBA", "LA", "PA"):
        clear = turned.convert("RGBA")
        turned = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
    return turned.convert("RGB")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]))
