"""The reference pages that follow the code: settings, errors, and the browser's types of the API's payloads.

`scripts/reference` writes them again after a change of app/env.py, app/errors.py or a schema of BROWSER_TYPES. Tables
stand between two marks in a page, so that the words around them are written by hand.
"""

import os
import re
from functools import cache
from pathlib import Path

import django
from pydantic import BaseModel

from app.appliance.compose_settings import COMPOSE_NAMES, MEANING_OF_IMAGES, MEANING_OF_MEMORY
from app.env import NAMES
from app.errors import CODES
from app.lib.typescript import interfaces

ROOT = Path(__file__).parents[1]
EXAMPLES = {
    "REFDESK_DATA": "/var/lib/refdesk",
    "REFDESK_HOST": "0.0.0.0",  # noqa: S104  an example in a page
    "REFDESK_PORT": "8080",
    "REFDESK_URL": "https://desk.example.org",
    "REFDESK_INTERNAL_HOST": "web",
    "REFDESK_ADMIN_EMAIL": "maud@example.org",
    "REFDESK_ADMIN_PASSWORD": "a long sentence that nobody guesses",
    "REFDESK_SAMPLES": "0",
    "REFDESK_SECRET_KEY": "64 random letters and digits",
    "REFDESK_SECRETS_KEYS": "64-random-letters-and-digits-the-newest,64-random-letters-and-digits-an-older-one",
    "REFDESK_EGRESS_ALLOW": "10.1.0.0/16,ollama.office.example.org,models:8000",
    "REFDESK_SMTP_URL": "smtp://desk:secret@mail.example.org:587",
    "REFDESK_MAIL_FROM": "Reference desk <desk@example.org>",
    "REFDESK_UPLOAD_MAX_MB": "2000",
    "REFDESK_LLM_URL": "http://localhost:11434/v1",
    "REFDESK_LLM_MODEL": "qwen2.5:7b",
    "REFDESK_LLM_API_KEY": "sk-…",
    "REFDESK_EMBEDDINGS_URL": "http://localhost:11434/v1",
    "REFDESK_EMBEDDINGS_MODEL": "bge-m3",
    "REFDESK_EMBEDDINGS_API_KEY": "sk-…",
    "REFDESK_SPEECH_URL": "http://localhost:8010/v1",
    "REFDESK_SPEECH_MODEL": "Systran/faster-whisper-small",
    "REFDESK_SPEECH_API_KEY": "sk-…",
    "REFDESK_DATABASE_URL": "postgresql://refdesk:secret@db:5432/refdesk",
    "REFDESK_VALKEY_URL": "redis://:secret@valkey:6379/0",
    "REFDESK_QDRANT_URL": "http://qdrant:6333",
    "REFDESK_QDRANT_API_KEY": "a long random text",
    "REFDESK_S3_URL": "http://minio:9000",
    "REFDESK_S3_BUCKET": "refdesk",
    "REFDESK_S3_ACCESS_KEY": "refdesk",
    "REFDESK_S3_SECRET_KEY": "a long random text",
    "REFDESK_S3_PUBLIC_URL": "https://files.example.org",
    "REFDESK_OIDC_ISSUER": "https://login.example.org/realms/refdesk",
    "REFDESK_OIDC_INTERNAL_URL": "http://keycloak:8080/auth/realms/refdesk",
    "REFDESK_OIDC_CLIENT_ID": "refdesk",
    "REFDESK_OIDC_CLIENT_SECRET": "what the provider made",
    "REFDESK_WORKER_BEATS": "0",
    "REFDESK_METRICS_TOKEN": "a-long-random-text",
    "REFDESK_METRICS_LISTEN": "0.0.0.0:9100",
    "REFDESK_SENTRY_DSN": "https://3f2a…@errors.example.org/1",
    "REFDESK_LOG_FORMAT": "json",
    "REFDESK_ALIVE_FILE": "/tmp/alive",  # noqa: S108  an example in a page
}
ENV_HEADER = """\
# Every setting that Refdesk reads. Each line shows the default, or nothing where there is none.
# To change one, remove the # and set it in the environment of the process, or `set -a; . ./.env; set +a`
# before scripts/start. NAME_FILE=/path instead of NAME=value reads the value from a file.
# Meanings and examples: docs/configuration.md. Written by scripts/reference.
"""
COMPOSE_HEADER = """\
# Names of the appliance alone: docker-compose.yml reads them from a file .env beside it. Of the names above it takes
# all but REFDESK_DATA, REFDESK_HOST and REFDESK_PORT.
"""
TYPES_HEADER = """\
/**
 * Payloads of the REST API that the chat reads. Ids are strings, times RFC 3339.
 * Written by scripts/reference from app/chat/schemas.py: change it there.
 */
import type { Place } from "./place";

"""


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def settings_table() -> str:
    rows = [_row("Name", "Default", "Meaning", "Example"), "| --- | --- | --- | --- |"]
    for name, setting in NAMES.items():
        default = f"`{setting.default}`" if setting.default else "none"
        rows.append(_row(f"`{name}`", default, setting.meaning, f"`{EXAMPLES[name]}`"))
    return "\n".join(rows)


def errors_table() -> str:
    rows = [
        _row("Code", "Status", "Meaning", "What to do"),
        "| --- | --- | --- | --- |",
    ]
    for code, entry in CODES.items():
        status = f"{entry.status} ↻" if entry.retryable else str(entry.status)
        rows.append(_row(f"`{code}`", status, entry.message, entry.hint))
    return "\n".join(rows)


@cache
def compose_defaults() -> dict[str, str]:
    """Return every name that docker-compose.yml reads and its default there; a name read in several places has its
    first.
    """
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    found: dict[str, str] = {}
    for name, default in re.findall(r"\$\{([A-Z0-9_]+):-([^{}]*)\}", text):
        found.setdefault(name, default)
    return found


def compose_names() -> dict[str, tuple[str, str]]:
    """Return default and meaning of every name that is the compose file's own."""
    found = dict(COMPOSE_NAMES)
    for name, default in sorted(compose_defaults().items()):
        for ending, meaning in (("_IMAGE", MEANING_OF_IMAGES), ("_MEMORY", MEANING_OF_MEMORY)):
            if name.endswith(ending):
                found[name] = default, meaning
    return found


def compose_table() -> str:
    rows = [_row("Name", "Default", "Meaning"), "| --- | --- | --- |"]
    for name, (default, meaning) in compose_names().items():
        rows.append(_row(f"`{name}`", f"`{default}`" if default else "none", meaning))
    return "\n".join(rows)


def env_example() -> str:
    parts = [ENV_HEADER]
    for name, setting in NAMES.items():
        parts.append(f"# {setting.meaning}.\n#{name}={setting.default or ''}\n")
    parts.append(COMPOSE_HEADER)
    for name, (default, meaning) in compose_names().items():
        parts.append(f"# {meaning}.\n#{name}={default}\n")
    return "\n".join(parts)


def page_with(page: str, *, name: str, table: str) -> str:
    """Return the page with the table between its marks.

    Raises:
        ValueError: when the marks are not there.
    """
    pattern = rf"(<!-- table: {name} -->\n).*?(<!-- end -->)"
    # A function, because a table may hold backslashes.
    changed, count = re.subn(pattern, lambda found: f"{found[1]}{table}\n{found[2]}", page, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"the page has {count} places for the table {name}, not one")
    return changed


def browser_types() -> str:
    """Return frontend/src/chat/payloads.ts."""
    from app.chat import schemas as chat  # needs Django

    schemas: list[type[BaseModel]] = [
        *(chat.CitedDocumentOut, chat.CitedPassageOut, chat.CitationOut, chat.UsageOut, chat.ErrorOut),
        *(chat.NoticeOut, chat.MessageOut, chat.ConversationOut),
    ]
    return TYPES_HEADER + interfaces(schemas, names={"CitedPassageOut": "Passage", "ErrorOut": "ErrorBody"})


def reference_pages() -> dict[Path, str]:
    """Return the path and full text of every page, as the code wants it."""
    settings, errors = ROOT / "docs" / "configuration.md", ROOT / "docs" / "errors.md"
    install = ROOT / "docs" / "install.md"
    return {
        install: page_with(install.read_text("utf-8"), name="compose", table=compose_table()),
        settings: page_with(settings.read_text("utf-8"), name="settings", table=settings_table()),
        errors: page_with(errors.read_text("utf-8"), name="errors", table=errors_table()),
        ROOT / ".env.example": env_example(),
        ROOT / "frontend" / "src" / "chat" / "payloads.ts": browser_types(),
    }


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "app.settings")
    django.setup()
    for path, text in reference_pages().items():
        path.write_text(text, "utf-8")
