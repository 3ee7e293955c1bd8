"""Parser of PowerPoint presentations: slides with their titles, text in reading order, tables, charts, notes, comments.

One slide is read at a time. Its number counts all slides, hidden ones too, as PowerPoint shows it.
"""

from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from app.library.parsers.blocks import Parsed, ParseError
from app.library.parsers.charts import chart_blocks
from app.library.parsers.encoding import one_line
from app.library.parsers.inline import comment_line, linked
from app.library.parsers.limits import Limits
from app.library.parsers.media import PPTX
from app.library.parsers.ooxml import Package, Relation, open_package
from app.library.parsers.outline import Outline, Where
from app.library.parsers.pptx_shapes import (
    Holder,
    P,
    Shape,
    chart_relation,
    diagram_items,
    diagram_relation,
    holders_of,
    is_title,
    picture_words,
    shapes,
    table_grid,
)
from app.library.parsers.pptx_text import A, R, body_text, paragraphs
from app.library.parsers.tables import table_lines

_P188 = "{http://schemas.microsoft.com/office/powerpoint/2018/8/main}"
_COMMENTS = (f"{P}cm", f"{_P188}cm", f"{_P188}reply")
# Placeholders that repeat on every slide; a date or number there is made by the program.
_REPEATED = frozenset({"ftr", "hdr", "dt", "sldNum", "sldImg"})


def parse(path: Path, limits: Limits) -> Parsed:
    """Parse a file. Errors: broken_file, encrypted_file, no_text, file_too_complex."""
    with open_package(path, limits) as package:
        deck = _Deck(package, Outline(limits))
        for number, part in enumerate(deck.slides(), 1):
            if number > limits.pages:
                raise ParseError("file_too_complex", f"more than {limits.pages:,} slides")
            deck.read(number, part)
    if not deck.outline.blocks:
        raise ParseError("no_text", "slides of pictures" if deck.pictured else "a presentation without text")
    warnings = (f"slides_without_text:{', '.join(map(str, deck.pictured))}",) if deck.pictured else ()
    return Parsed(tuple(deck.outline.blocks), PPTX, title=deck.title, warnings=warnings)


class _Deck:
    def __init__(self, package: Package, outline: Outline) -> None:
        self.package = package
        self.outline = outline
        self.title: str | None = None
        self.main = next(
            (each.target for each in package.relations("").values() if each.kind == "officeDocument"),
            "ppt/presentation.xml",
        )
        self.targets = package.relations(self.main)
        self.holders: dict[str, list[Holder]] = {}
        self.repeated: set[str] = set()
        # Slides that show pictures and no text.
        self.pictured: list[int] = []
        self.authors = dict(self._authors())

    def slides(self) -> Iterator[str]:
        """Yield the names of the slides' parts in their order."""
        root = self.package.tree(self.main)
        if root is None:
            raise ParseError("broken_file", "no main part")
        for entry in root.iterfind(f"{P}sldIdLst/{P}sldId"):
            relation = self.targets.get(entry.get(f"{R}id", ""))
            if relation is not None and relation.target in self.package:
                yield relation.target

    def _authors(self) -> Iterator[tuple[str, str]]:
        for relation in self.targets.values():
            if relation.kind in ("commentAuthors", "authors"):
                root = self.package.tree(relation.target)
                for author in root if root is not None else ():
                    yield author.get("id", ""), author.get("name", "")

    def read(self, number: int, part: str) -> None:
        root = self.package.tree(part)
        if root is None:
            return
        relations = self.package.relations(part)
        slide = _Slide(self, Where(slide=number), relations)
        layout = next((each.target for each in relations.values() if each.kind == "slideLayout"), "")
        tree = root.find(f"{P}cSld/{P}spTree")
        found = list(shapes(tree, self.holders_for(layout))) if tree is not None else []
        titles = [shape for shape in found if is_title(shape)]
        before = len(self.outline.blocks)
        slide.begin(
            " ".join(filter(None, (slide.text_of(shape) for shape in titles))),
            hidden=root.get("show", "1") in ("0", "false"),
        )
        for shape in found:
            if not is_title(shape):
                slide.add(shape)
        for line in slide.repeated:
            if line not in self.repeated:
                self.repeated.add(line)
                self.outline.add("paragraph", line, slide.where)
        slide.comments()
        slide.notes()
        if len(self.outline.blocks) == before and any(shape.element.tag == f"{P}pic" for shape in found):
            self.pictured.append(number)

    def holders_for(self, layout: str) -> list[Holder]:
        if layout not in self.holders:
            masters = self.package.relations(layout) if layout else {}
            master = next((each.target for each in masters.values() if each.kind == "slideMaster"), "")
            if master not in self.holders:
                self.holders[master] = holders_of(self.package.tree(master), [])
            self.holders[layout] = holders_of(self.package.tree(layout), self.holders[master])
        return self.holders[layout]


class _Slide:
    def __init__(self, deck: _Deck, where: Where, relations: dict[str, Relation]) -> None:
        self.deck = deck
        self.outline = deck.outline
        self.where = where
        self.relations = relations
        self.links = {key: each.target for key, each in relations.items() if each.outside}
        self.repeated: list[str] = []
        self.level = 1

    def begin(self, title: str, *, hidden: bool) -> None:
        """Begin the slide's section with its title, and say when it is hidden."""
        self.outline.end_sections()
        self.deck.title = self.deck.title or title or None
        if hidden:
            title = f"{title} (hidden slide)" if title else "Hidden slide"
        if title:
            self.outline.heading(1, title, self.where)

    def text_of(self, shape: Shape) -> str:
        return body_text(shape.element.find(f"{P}txBody"), self.links)

    def add(self, shape: Shape) -> None:
        element = shape.element
        if shape.kind in _REPEATED:
            line = self.text_of(shape)
            if any(map(str.isalpha, line)) or shape.kind in ("ftr", "hdr"):
                self.repeated.append(line)
        elif element.tag == f"{P}graphicFrame":
            self.frame(element)
        elif element.tag == f"{P}sp":
            self.text(shape)
        words = picture_words(element)
        if words and element.find(f"{P}txBody") is None and element.find(f".//{A}tbl") is None:
            self.outline.add("paragraph", f"Picture: {words}", self.where)

    def text(self, shape: Shape) -> None:
        body = shape.element.find(f"{P}txBody")
        if body is None:
            return
        found = list(paragraphs(body, shape.marks, self.links))
        link = shape.element.find(f"{P}nvSpPr/{P}cNvPr/{A}hlinkClick")
        address = self.links.get(link.get(f"{R}id", "")) if link is not None else None
        for number, each in enumerate(found, 1):
            text = linked(each.text, address) if number == len(found) else each.text
            if each.level:
                self.outline.add("list_item", text, self.where, level=each.level)
            else:
                self.outline.add("paragraph", text, self.where)

    def frame(self, frame: etree._Element) -> None:
        """Add a table, chart or SmartArt drawing."""
        table = next(frame.iter(f"{A}tbl"), None)
        if table is not None:
            for line in table_lines(table_grid(table, self.links)):
                self.outline.add("table_row", line.text, self.where)
            return
        chart = self.part(chart_relation(frame))
        if chart is not None:
            for kind, text in chart_blocks(chart):
                self.outline.add(kind, text, self.where)
        diagram = self.part(diagram_relation(frame))
        if diagram is not None:
            for depth, text in diagram_items(diagram, self.links):
                self.outline.add("list_item", text, self.where, level=min(depth, 9))

    def part(self, relation: str) -> etree._Element | None:
        target = self.relations.get(relation)
        return self.deck.package.tree(target.target) if target is not None and not target.outside else None

    def comments(self) -> None:
        for relation in self.relations.values():
            if relation.kind != "comments" or relation.outside:
                continue
            root = self.deck.package.tree(relation.target)
            for comment in root.iter(*_COMMENTS) if root is not None else ():
                body = comment.find(f"{_P188}txBody")
                text = one_line(comment.findtext(f"{P}text") or "") or body_text(body, {})
                if text:
                    author = self.deck.authors.get(comment.get("authorId", ""), "")
                    self.outline.add(
                        "paragraph",
                        comment_line(text, author, comment.get("dt") or comment.get("created", "")),
                        self.where,
                    )

    def notes(self) -> None:
        """Add the speaker's notes under a heading of their own."""
        target = next((each.target for each in self.relations.values() if each.kind == "notesSlide"), "")
        root = self.deck.package.tree(target) if target else None
        tree = root.find(f"{P}cSld/{P}spTree") if root is not None else None
        if tree is None:
            return
        links = {key: each.target for key, each in self.deck.package.relations(target).items() if each.outside}
        found = [
            each
            for shape in shapes(tree, [])
            if shape.kind not in _REPEATED and (body := shape.element.find(f"{P}txBody")) is not None
            for each in paragraphs(body, {}, links)
        ]
        if not found:
            return
        self.outline.heading(2, "Notes", self.where)
        for each in found:
            kind = "list_item" if each.level else "paragraph"
            self.outline.add(kind, each.text, self.where, level=each.level)  # type: ignore[arg-type]
