"""The document that smoke uploads: a one-page PDF about a subject that is in no other document."""

import io
import secrets
from dataclasses import dataclass

from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from app.operations.smoke.names import paper_name


@dataclass(frozen=True)
class Paper:
    name: str
    content: bytes
    question: str
    # Only this document has this text: a citation that contains it cites this document.
    fact: str


def paper_make(word: str) -> Paper:
    """Create the PDF. word: letters and digits of this run, in no other document."""
    thing = f"Zarvo{word}"
    number = f"{secrets.randbelow(9000) + 1000}"
    lines = [
        f"The {thing} valve",
        f"The opening pressure of the {thing} valve is {number} millibar.",
        f"Whoever services the {thing} valve closes the red tap first.",
    ]
    stream = io.BytesIO()
    canvas = Canvas(stream, pagesize=A4)
    for row, line in enumerate(lines):
        canvas.setFont("Helvetica", 18 if row == 0 else 12)
        canvas.drawString(72, 760 - 30 * row, line)
    canvas.save()
    return Paper(
        name=paper_name(word),
        content=stream.getvalue(),
        question=f"What is the opening pressure of the {thing} valve?",
        fact=f"{number} millibar",
    )
