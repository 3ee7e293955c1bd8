"""DOCX of a sample text, with Word's own heading, list and table styles.

The archive is written again with one fixed time and its members in order, so that the same text gives the same file.
"""

import io
import zipfile
from datetime import datetime
from pathlib import Path

import docx
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm

from tools.sample_sources.blocks import Block, blocks_read

WRITTEN = datetime(2026, 1, 1)  # naive: Word's core properties are UTC without saying so


def word_write(*, name: str, path: Path, header: str) -> None:
    blocks = blocks_read(name=name)
    document = docx.Document()
    section = document.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.header.paragraphs[0].text = header
    _page_number_add(section.footer.paragraphs[0])
    properties = document.core_properties
    properties.title, properties.author = blocks[0].text, "Tarn & Vale (fictional)"
    properties.created = properties.modified = WRITTEN
    properties.last_modified_by, properties.comments, properties.revision = "", "", 1
    # Numbering restarts at each list only with a definition of its own; Word's "List Number" style runs on through
    # the document. So each numbered list gets one.
    numbering = None
    for block in blocks:
        if block.kind == "numbered" and block.number == 1:
            numbering = _numbering_restart(document)
        _block_add(document, block, numbering=numbering)
    _archive_write(document, path)


def _block_add(document: "docx.document.Document", block: Block, *, numbering: int | None) -> None:
    match block.kind:
        case "heading":
            document.add_heading(block.text, level=block.level - 1)
        case "bullet":
            document.add_paragraph(block.text, style="List Bullet")
        case "numbered":
            paragraph = document.add_paragraph(block.text, style="List Number")
            properties = paragraph._p.get_or_add_pPr().get_or_add_numPr()
            properties.get_or_add_ilvl().val = 0
            properties.get_or_add_numId().val = numbering
        case "table":
            table = document.add_table(rows=0, cols=len(block.rows[0]), style="Light Grid Accent 1")
            for row in block.rows:
                for cell, text in zip(table.add_row().cells, row, strict=True):
                    cell.text = text
            document.add_paragraph()
        case _:
            document.add_paragraph(block.text)


def _numbering_restart(document: "docx.document.Document") -> int:
    definitions = document.part.numbering_part.element
    style = document.styles["List Number"].element.pPr.numPr.numId.val
    abstract = next(num for num in definitions.num_lst if num.numId == style).abstractNumId.val
    num = definitions.add_num(abstract)
    num.add_lvlOverride(ilvl=0).add_startOverride(1)
    return int(num.numId)


def _page_number_add(paragraph: "docx.text.paragraph.Paragraph") -> None:
    paragraph.add_run("Page ")
    field = OxmlElement("w:fldSimple")
    field.set(qn("w:instr"), "PAGE")
    paragraph._p.append(field)


def _archive_write(document: "docx.document.Document", path: Path) -> None:
    draft = io.BytesIO()
    document.save(draft)
    with zipfile.ZipFile(draft) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in sorted(old.namelist(), key=lambda name: (name != "[Content_Types].xml", name)):
            member = zipfile.ZipInfo(name, date_time=WRITTEN.timetuple()[:6])
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = 0o644 << 16
            new.writestr(member, old.read(name))
