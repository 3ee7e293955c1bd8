"""Presentations and text documents: speed against the bare library in the same run, memory, and small files' CPU.

    python -m bench.documents [--small FOLDER]

The bare library reads all text and does nothing else: python-pptx, and odfpy and striprtf where they are installed. For
EPUB, whose libraries have no licence that fits, it is our own reading of the chapters as pages. Each reading is in a
process of its own, ours with the limits of the product on its memory. Small files are all of these formats in a folder,
read one after the other in one process, the first reading of each format left out, since the parsers are loaded before
files come.
"""

import argparse
import importlib
import multiprocessing
import resource
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from app.library.parsers import parse
from app.library.parsers.blocks import ParseError, text_length
from app.library.parsers.detect import detect_media_type
from app.library.parsers.html import parse_fragment
from app.library.parsers.limits import DEFAULT
from app.library.parsers.outline import Outline

SLIDES, PARAGRAPHS, CHAPTERS = 400, 60_000, 60
# odfpy did not end within four minutes on 60,000.
ODT_PARAGRAPHS = 20_000
ROUNDS = 3
SENTENCE = "The pump of line {0} runs at {1} bar and is looked after every {2} weeks by the shift that begins at six. "
SMALL = (".pptx", ".odp", ".odt", ".rtf", ".epub", ".docx")
_TEXT = "urn:oasis:names:tc:opendocument:xmlns:text:1.0"


def sentence(number: int) -> str:
    return SENTENCE.format(number, number % 17, number % 9 + 2)


def deck_make(path: Path) -> None:
    from pptx import Presentation
    from pptx.util import Inches

    deck = Presentation()
    for number in range(SLIDES):
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text = f"Line {number}"
        frame = slide.placeholders[1].text_frame
        frame.text = sentence(number)
        for more in range(5):
            frame.add_paragraph().text = sentence(number + more)
        table = slide.shapes.add_table(6, 4, Inches(1), Inches(4), Inches(7), Inches(2)).table
        for cell in range(24):
            table.cell(cell // 4, cell % 4).text = f"value {number * 24 + cell}"
        slide.notes_slide.notes_text_frame.text = sentence(number)
    deck.save(str(path))


def odt_make(path: Path) -> None:
    names = f'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:text="{_TEXT}"'
    body = "".join(
        f'<text:h text:outline-level="1">Part {number}</text:h>'
        if number % 50 == 0
        else f'<text:p>{sentence(number)}<text:span text:style-name="x">{number}</text:span></text:p>'
        for number in range(ODT_PARAGRAPHS)
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        archive.writestr(
            "META-INF/manifest.xml",
            '<m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"><m:file-entry m:full-path="/" '
            'm:media-type="application/vnd.oasis.opendocument.text"/><m:file-entry m:full-path="content.xml" '
            'm:media-type="text/xml"/></m:manifest>',
        )
        archive.writestr(
            "content.xml",
            f"<office:document-content {names}><office:body><office:text>{body}</office:text></office:body>"
            "</office:document-content>",
        )


def rtf_make(path: Path) -> None:
    head = r"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0\fcharset0 Arial;}}"
    body = "\n".join(
        rf"\pard\plain\ql {{\rtlch\fcs1 \af0 \ltrch\fcs0 \f0\fs22 {sentence(number)}}}{{\b\'e9t\'e9 {number}}}\par"
        for number in range(PARAGRAPHS)
    )
    path.write_bytes((head + body + "}").encode("latin-1"))


def book_make(path: Path) -> None:
    page = "<html><body><h1>Chapter {0}</h1>{1}</body></html>"
    chapters = {
        f"c{number}.xhtml": page.format(number, "".join(f"<p>{sentence(each)}</p>" for each in range(1000)))
        for number in range(CHAPTERS)
    }
    items = "".join(f'<item id="{name}" href="{name}" media-type="application/xhtml+xml"/>' for name in chapters)
    order = "".join(f'<itemref idref="{name}"/>' for name in chapters)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr("META-INF/container.xml", '<container><rootfile full-path="book.opf"/></container>')
        archive.writestr(
            "book.opf",
            f'<package xmlns="http://www.idpf.org/2007/opf"><manifest>{items}</manifest><spine>{order}</spine></package>',
        )
        for name, text in chapters.items():
            archive.writestr(name, text)


def bare_pptx(path: Path) -> int:
    from pptx import Presentation

    found = 0
    for slide in Presentation(str(path)).slides:
        for shape in slide.shapes:
            if shape.has_text_frame:
                found += sum(len(each.text) for each in shape.text_frame.paragraphs)
            elif shape.has_table:
                found += sum(len(cell.text) for row in shape.table.rows for cell in row.cells)
        if slide.has_notes_slide:
            found += len(slide.notes_slide.notes_text_frame.text)
    return found


def bare_odt(path: Path) -> int:
    opendocument: Any = importlib.import_module("odf.opendocument")
    text: Any = importlib.import_module("odf.text")
    teletype: Any = importlib.import_module("odf.teletype")
    document = opendocument.load(str(path))
    return sum(
        len(teletype.extractText(each)) for kind in (text.P, text.H) for each in document.getElementsByType(kind)
    )


def bare_rtf(path: Path) -> int:
    striprtf: Any = importlib.import_module("striprtf.striprtf")
    return len(striprtf.rtf_to_text(path.read_text("latin-1")))


def bare_epub(path: Path) -> int:
    outline = Outline(DEFAULT)
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(".xhtml"):
                parse_fragment(archive.read(name).decode(), outline)
    return text_length(outline.blocks)


def ours(path: Path) -> int:
    return text_length(parse(path, detect_media_type(path, path.name)).blocks)


def _measure(read: Callable[[Path], int], path: Path, limited: bool, answer: Any) -> None:
    if limited:
        resource.setrlimit(resource.RLIMIT_AS, (DEFAULT.memory_bytes, DEFAULT.memory_bytes))
    try:
        began = time.process_time()
        chars = read(path)
        seconds = time.process_time() - began
    except ImportError as error:
        answer.put((None, str(error), 0))
        return
    answer.put((seconds, chars, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024))


def measured(read: Callable[[Path], int], path: Path, *, limited: bool = False) -> tuple[float | None, Any, int]:
    """Return CPU seconds, characters and the peak of memory (MiB) of reading a file in a process of its own."""
    context = multiprocessing.get_context("spawn")
    rounds: list[tuple[float | None, Any, int]] = []
    for _ in range(ROUNDS):
        answer = context.Queue()
        process = context.Process(target=_measure, args=(read, path, limited, answer))
        process.start()
        rounds.append(answer.get(timeout=300))
        process.join()
    return min(rounds, key=lambda each: each[0] or 0.0)


def small_files(folder: Path) -> Iterator[tuple[str, float]]:
    begun: set[str] = set()
    for path in sorted(each for each in folder.rglob("*") if each.suffix in SMALL and each.stat().st_size < 200_000):
        for _ in range(1 if path.suffix in begun else 2):
            began = time.process_time()
            try:
                ours(path)
            except ParseError:
                continue
            spent = time.process_time() - began
        begun.add(path.suffix)
        yield path.name, spent * 1000


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--small", type=Path)
    arguments = options.parse_args()
    print("| File | MB | Bare | Ours | Speed to bare | Memory |\n| --- | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as name:
        for make, bare, file in (
            (deck_make, bare_pptx, f"PPTX, {SLIDES} slides.pptx"),
            (odt_make, bare_odt, f"ODT, {ODT_PARAGRAPHS:,} paragraphs.odt"),
            (rtf_make, bare_rtf, f"RTF, {PARAGRAPHS:,} paragraphs.rtf"),
            (book_make, bare_epub, f"EPUB, {CHAPTERS} chapters.epub"),
        ):
            path = Path(name) / file
            make(path)
            without, with_ours = measured(bare, path), measured(ours, path, limited=True)
            assert with_ours[0] is not None
            ratio = f"{without[0] / with_ours[0]:.2f}" if without[0] else "–"
            shown = f"{without[0]:.2f} s" if without[0] else "–"
            size = path.stat().st_size / 1e6
            print(f"| {path.stem} | {size:.1f} | {shown} | {with_ours[0]:.2f} s | {ratio} | {with_ours[2]} MiB |")
    if arguments.small:
        spent = [milliseconds for _, milliseconds in small_files(arguments.small)]
        print(f"{len(spent)} small files: median {statistics.median(spent):.1f} ms, most {max(spent):.1f} ms of CPU")


if __name__ == "__main__":
    main()
