"""Warnings of a version in words: what of a file could not be read."""

from app.errors import CODES

# Codes with their subject after a colon, which stands for {}.
_WORDS = {
    "pages_without_text": "No text was found on pages {}.",
    "pages_recognised": "Read by text recognition, which can misread: pages {}.",
    "pages_uncertain": "Hard to recognise; compare with the page before you rely on it: pages {}.",
    "text_layer_unreadable": "Pages whose text the file names by wrong characters, so that it cannot be read: {}.",
    "slides_without_text": "Slides that are pictures without text: {}.",
    "rows_not_read": "Larger than can be read; rows were left out from {} on.",
    "formulas_without_value": "Formulas without a computed value: {}. Open and save the file in a spreadsheet program.",
    "recording_cut_short": "The recording breaks off after {} seconds; what comes before was read.",
    "encrypted_part": "A part of this message is encrypted.",
    "not_valid": "The file is not valid {} and was read as far as it goes.",
    "lines_not_read": "Lines that are not valid: {}.",
    "members_too_deep": "The files inside are nested too deep and were not read.",
    "members_left_out": "Files beyond the limit, which were not read: {}.",
    "members_not_read": "Further files that could not be read: {}.",
}


def warning_words(warning: str) -> str:
    """Return a warning as a sentence."""
    code, _, subject = warning.partition(":")
    if code == "member_not_read":
        error, _, path = subject.partition(":")
        return f"{path}: {_reason(error)}"
    if code == "members_broke_off":
        return f"Not all files inside could be read: {_reason(subject)}"
    if code in _WORDS:
        return _WORDS[code].format(subject)
    return f"{code.replace('_', ' ').capitalize()}: {subject}." if subject else code


def _reason(error: str) -> str:
    return CODES[error].message if error in CODES else error.replace("_", " ")
