"""Names of what smoke makes, by the word of one run: outside, where it is made, and inside, where it is removed."""

import secrets

PERSON = "refdesk-smoke-"
# No mail can ever reach it.
DOMAIN = "smoke.invalid"
PAPER = "smoke-"


def word_new() -> str:
    return secrets.token_hex(4)


def person_name(word: str) -> str:
    return f"{PERSON}{word}"


def person_email(word: str) -> str:
    return f"{PERSON}{word}@{DOMAIN}"


def paper_name(word: str) -> str:
    return f"{PAPER}{word}.pdf"
