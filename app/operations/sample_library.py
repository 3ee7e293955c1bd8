"""Sample documents of a fictional company for a new box, and questions to try on them."""

from pathlib import Path

import orjson

from app.library.connectors.protocol import Content
from app.library.connectors.uploads import file_item
from app.library.models import Source
from app.library.services.intake import document_put

FOLDER = Path(__file__).with_name("samples")
QUESTIONS = "questions.json"


def sample_paths() -> list[Path]:
    return sorted(path for path in FOLDER.iterdir() if path.is_file() and path.name != QUESTIONS)


def sample_starters() -> list[str]:
    """Return questions that a bot over the samples shows to begin with."""
    questions = orjson.loads((FOLDER / QUESTIONS).read_bytes())
    return [entry["question"] for entry in questions if entry["starter"]]


def samples_load(*, source: Source) -> int:
    """Queue the samples without waiting for them; return their number."""
    paths = sample_paths()
    for path in paths:
        with path.open("rb") as stream:
            document_put(
                organisation=source.organisation_id, source=source, item=file_item(path.name), content=Content(stream)
            )
    return len(paths)
