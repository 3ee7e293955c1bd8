"""What reading a scan costs against the bare engine: `python -m bench.ocr [PDF] [PAGES]`.

The bare engine gets the same page images, drawn beforehand; the product draws them itself, confined, and lays out the
lines. Both load their models before the clock starts for the first page.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from reportlab.pdfgen.canvas import Canvas

from app.library.ocr.page_images import PageImages
from app.library.ocr.rapid import RapidRecogniser
from app.library.ocr.reading_process import THREADS, pages_recognise
from app.library.parsers.limits import DEFAULT
from app.library.parsers.media import PDF
from app.library.parsers.scan_lines import RecognisedPage
from app.library.parsers.scans import picture_parse
from app.library.tests.scans import draw_scan


def sample(folder: str, pages: int) -> Path:
    path = Path(folder) / "scan.pdf"
    canvas = Canvas(str(path))
    for _ in range(pages):
        draw_scan(canvas)
        canvas.showPage()
    canvas.save()
    return path


def bare(path: Path, pages: int) -> float:
    images = PageImages(path, PDF)
    shown = (images.image(number) for number in range(1, pages + 1))
    drawn = [np.ascontiguousarray(image[:, :, ::-1]) for image in shown if image is not None]
    engine = RapidRecogniser(threads=THREADS).engine
    engine(drawn[0], use_det=True)
    begun = time.perf_counter()
    for image in drawn:
        engine(image, use_det=True)
    return (time.perf_counter() - begun) / pages


def product(path: Path, pages: int) -> float:
    """Return the seconds of a page, the first one left out, which waits for the models."""
    scans, begun = {}, 0.0
    for page in pages_recognise(path, PDF, pages=range(1, pages + 2)):
        begun = begun or time.perf_counter()
        scans[page["page"]] = RecognisedPage.from_message(page)
    picture_parse(scans, PDF, DEFAULT)
    return (time.perf_counter() - begun) / (len(scans) - 1)


def main() -> None:
    pages = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tempfile.TemporaryDirectory() as folder:
        path = Path(sys.argv[1]) if len(sys.argv) > 1 else sample(folder, pages + 1)
        alone, ours = bare(path, pages), product(path, pages)
    print(f"bare engine {alone:.2f} s a page, with all around it {ours:.2f} s: {ours / alone:.2f} times")


if __name__ == "__main__":
    main()
