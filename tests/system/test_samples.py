"""The sample library: built files equal their sources, and hold the answer of each question."""

import csv
import json
import zipfile
from functools import cache
from pathlib import Path

import docx
import pypdfium2
import pytest
from selectolax.lexbor import LexborHTMLParser

from app.library.pipeline.sandbox import parse_and_chunk
from tools.sample_sources.__main__ import samples_build

SAMPLES = Path(__file__).parents[2] / "app" / "operations" / "samples"
QUESTIONS = json.loads((SAMPLES / "questions.json").read_text("utf-8"))
ANSWERABLE = [question for question in QUESTIONS if question["document"]]


@cache
def sample_text(name: str) -> str:
    """Return the words of a sample in reading order with single spaces, read without Refdesk's own parsers."""
    path = SAMPLES / name
    match path.suffix:
        case ".pdf":
            with pypdfium2.PdfDocument(path) as pdf:
                text = " ".join(page.get_textpage().get_text_range() for page in pdf)
        case ".docx":
            document = docx.Document(str(path))
            cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
            text = " ".join([paragraph.text for paragraph in document.paragraphs] + cells)
        case ".html":
            text = LexborHTMLParser(path.read_text("utf-8")).body.text(separator=" ")
        case _:
            text = path.read_text("utf-8")
    return " ".join(text.split())


@pytest.mark.parametrize("name", ["product-manual.pdf", "travel-policy.pdf"])
def test_the_built_pdf_equals_a_fresh_build(name: str, tmp_path: Path) -> None:
    samples_build(tmp_path)
    assert (tmp_path / name).read_bytes() == (SAMPLES / name).read_bytes(), "run scripts/samples"


def test_the_built_docx_equals_a_fresh_build(tmp_path: Path) -> None:
    # Compared by member and not by byte: another zlib may compress the same text to other bytes.
    samples_build(tmp_path)
    fresh, built = (zipfile.ZipFile(folder / "employee-handbook.docx") for folder in (tmp_path, SAMPLES))
    assert fresh.namelist() == built.namelist()
    changed = [name for name in fresh.namelist() if fresh.read(name) != built.read(name)]
    assert changed == [], "run scripts/samples"


def test_each_question_is_answered_in_its_document(subtests: pytest.Subtests) -> None:
    for question in ANSWERABLE:
        with subtests.test(question=question):
            assert question["contains"] in sample_text(question["document"])


@cache
def sample_passages(name: str) -> list[str]:
    chunks = parse_and_chunk(SAMPLES / name, name, max_tokens=254)
    return [" ".join(draft.text.split()) for draft in chunks.drafts]


def test_each_answer_is_whole_in_one_passage(subtests: pytest.Subtests) -> None:
    for question in ANSWERABLE:
        with subtests.test(question=question):
            assert [text for text in sample_passages(question["document"]) if question["contains"] in text] != []


def test_every_document_is_asked_about_and_some_questions_have_no_answer() -> None:
    documents = {path.name for path in SAMPLES.iterdir()} - {"questions.json"}
    assert {question["document"] for question in ANSWERABLE} == documents
    assert len(ANSWERABLE) >= 30
    unanswerable = [question for question in QUESTIONS if question["document"] is None]
    assert len(unanswerable) >= 10
    assert all(question["contains"] is None and not question["starter"] for question in unanswerable)
    assert len({question["question"] for question in QUESTIONS}) == len(QUESTIONS)


def test_the_starter_questions_are_three_and_of_different_documents() -> None:
    starters = [question for question in QUESTIONS if question["starter"]]
    assert len(starters) == 3
    assert len({question["document"] for question in starters}) == 3


def test_item_numbers_in_the_manual_and_on_the_help_page_are_in_the_price_list() -> None:
    with (SAMPLES / "price-list.csv").open(encoding="utf-8", newline="") as file:
        items = [row["item_number"] for row in csv.DictReader(file)]
    assert len(items) == len(set(items))
    named = sample_text("product-manual.pdf") + sample_text("help-page.html")
    words = {word.strip("().,:;") for word in named.split()}
    numbers = {word for word in words if word.startswith("TV-")}
    assert "TV-4105" in numbers
    assert numbers <= set(items)
