"""Builds the PDF and DOCX files of the sample library from the Markdown texts beside this file."""

import sys
from pathlib import Path

from tools.sample_sources.pdf import pdf_write
from tools.sample_sources.word import word_write

SAMPLES = Path(__file__).parents[2] / "app" / "operations" / "samples"


def samples_build(folder: Path) -> None:
    pdf_write(
        name="product-manual",
        path=folder / "product-manual.pdf",
        header="Vale 3 user manual",
        footer="Edition 4, March 2026",
    )
    pdf_write(
        name="travel-policy",
        path=folder / "travel-policy.pdf",
        header="Travel and expenses policy",
        footer="Version 3.2, valid from 1 February 2026",
    )
    word_write(name="employee-handbook", path=folder / "employee-handbook.docx", header="Tarn & Vale employee handbook")


if __name__ == "__main__":
    samples_build(Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLES)
