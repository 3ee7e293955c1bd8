"""Each warning that a reader of files can give is a sentence for people."""

import re
from pathlib import Path

import pytest

from app.library import parsers
from app.library.parsers import scans
from app.library.warning_words import warning_words

LIBRARY = Path(parsers.__file__).parent.parent
SCANS = {scans.PAGES_WITHOUT_TEXT, scans.TEXT_UNREADABLE, scans.RECOGNISED, scans.UNCERTAIN}


def codes() -> set[str]:
    """Return the codes that stand in lines about warnings, without the notes between the steps of an ingest."""
    found = set(SCANS)
    for folder in ("parsers", "pipeline", "speech"):
        for path in (LIBRARY / folder).glob("*.py"):
            for line in path.read_text().splitlines():
                if "warn" in line and "_warn(" not in line and "log." not in line:
                    found |= set(re.findall(r'f?"([a-z]+(?:_[a-z]+)+)(?:"|:\{)', line))
    return found


@pytest.mark.parametrize("code", sorted(codes() - {"member_not_read"}))
def test_a_warning_is_a_sentence(code: str) -> None:
    subject = "file_too_large" if code == "members_broke_off" else "3"
    words = warning_words(f"{code}:{subject}")
    assert words[0].isupper()
    assert words.endswith(".")
    assert code.replace("_", " ") not in words.lower()


def test_the_subject_is_named() -> None:
    left_out = "Larger than can be read; rows were left out from Data, row 9 on."
    assert warning_words("rows_not_read:Data, row 9") == left_out
    assert warning_words("encrypted_part") == "A part of this message is encrypted."
    assert warning_words("member_not_read:encrypted_file:a.pdf") == "a.pdf: The file is protected by a password."
    assert warning_words("something_new:4") == "Something new: 4."
