"""One file a format: `parse` chooses by media type."""

from pathlib import Path

from app.ingest.blocks import Parsed
from app.ingest.limits import DEFAULT, Limits


def parse(path: Path, media_type: str, limits: Limits = DEFAULT) -> Parsed:
    raise NotImplementedError
