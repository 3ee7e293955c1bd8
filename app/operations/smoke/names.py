"""Names of smoke's data, with the word of one run: used outside to create it, and inside to remove it."""

import secrets

PERSON = "refdesk-smoke-"
# A reserved domain, which no mail can reach.
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
