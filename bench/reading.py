"""How much of sample files' reference text the parsers find, and whether in the same order.

    python -m bench.reading FOLDER… [--all] [--suffix .docx …]

FOLDER is searched for `groundtruth/NAME.md` and `expected_outputs/NAME.md` beside the file NAME. Recall is of the
reference's words, each as often as it occurs there. Order is of the words that occur once in both texts: the share of
them in the longest run that rises in both. Without --all only files below the goal are listed.
"""

import argparse
import html
import re
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from app.library.parsers import parse
from app.library.parsers.blocks import ParseError, full_text
from app.library.parsers.detect import detect_media_type
from app.library.pipeline.office import converted, media_type_of

GOAL = 0.95
_COMMENT = re.compile(r"<!--.*?-->", re.S)
_PICTURE = re.compile(r"!\[[^\]]*\]\([^)]*\)")
# Targets of links are no text: a file's own relative ones are left out, absolute ones are kept in words.
_TARGET = re.compile(r"\]\([^()]*\)")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_ESCAPE = re.compile(r"\\([_*#<>&|\[\]\\`~$-])")
_WORD = re.compile(r"[^\W_]+")


def pairs(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Yield files with their reference Markdown."""
    for reference in sorted([*folder.rglob("groundtruth/*.md"), *folder.rglob("expected_outputs/*.md")]):
        name = reference.name.removesuffix(".md")
        above = reference.parent.parent
        found = [path for path in above.rglob("*") if path.is_file() and path.name == name]
        # Without its suffix in the reference's name: the file of that stem.
        found = found or [path for path in above.rglob(f"{name}.*") if reference.parent not in path.parents]
        if found:
            yield found[0], reference


def text_of(path: Path) -> str:
    """Return what is read of a file, of an old Office file after its conversion by LibreOffice."""
    try:
        return full_text(parse(path, detect_media_type(path, path.name)).blocks)
    except ParseError as error:
        old = media_type_of(error)
        if old is None:
            raise
    with converted(path, old) as new:
        return full_text(parse(new, detect_media_type(new, new.name)).blocks)


def words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def reference_words(markdown: str) -> list[str]:
    text = _PICTURE.sub(" ", _COMMENT.sub(" ", markdown))
    text = _TARGET.sub("]", text)
    return words(html.unescape(_TAG.sub(" ", _ESCAPE.sub(r"\1", text))))


def recall(reference: Sequence[str], ours: Sequence[str]) -> float:
    wanted = Counter(reference)
    return sum((wanted & Counter(ours)).values()) / max(1, wanted.total())


def order(reference: Sequence[str], ours: Sequence[str]) -> float:
    """Return the share of words that occur once in both texts and stand in one rising run."""
    once = {word for word, count in Counter(reference).items() if count == 1}
    once &= {word for word, count in Counter(ours).items() if count == 1}
    places = {word: place for place, word in enumerate(ours) if word in once}
    tails: list[int] = []
    for word in reference:
        if word in once:
            at = bisect_left(tails, places[word])
            tails[at : at + 1] = [places[word]]
    return len(tails) / len(once) if once else 1.0


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folders", nargs="+", type=Path)
    options.add_argument("--all", action="store_true")
    options.add_argument("--suffix", nargs="*", default=[])
    arguments = options.parse_args()
    results = []
    for path, reference in (pair for folder in arguments.folders for pair in pairs(folder)):
        if arguments.suffix and path.suffix not in arguments.suffix:
            continue
        began = time.process_time()
        try:
            ours = words(text_of(path))
            error = ""
        except ParseError as refused:
            ours, error = [], f"{refused.code}: {refused.detail}"
        wanted = reference_words(reference.read_text("utf-8"))
        results.append((recall(wanted, ours), order(wanted, ours), time.process_time() - began, path, error))
    for found, rising, seconds, path, error in results:
        if arguments.all or found < GOAL or rising < GOAL:
            print(f"{found:6.3f} {rising:6.3f} {seconds:6.2f} s  {path.parent.parent.name}/{path.name}  {error}")
    good = sum(1 for result in results if result[0] >= GOAL)
    ordered = sum(1 for result in results if result[1] >= GOAL)
    print(f"{len(results)} files: recall of words at least {GOAL} in {good}, order in {ordered}")


if __name__ == "__main__":
    main()
