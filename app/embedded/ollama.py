"""Find an Ollama on this machine at its usual address."""

import json
from dataclasses import dataclass

from app.embedded.http_probe import http_get

HOST, PORT = "127.0.0.1", 11434
URL = f"http://{HOST}:{PORT}/v1"
# Ollama's list has no purpose of a model; embedding models are of these families or have one of these in their name.
EMBEDDING_SIGNS = ("embed", "bert", "minilm", "bge")


@dataclass(frozen=True)
class Ollama:
    """An Ollama server; `model` is None when it has no model that can answer."""

    model: str | None


def is_for_embedding(entry: dict[str, object]) -> bool:
    details = entry.get("details")
    family = details.get("family") if isinstance(details, dict) else ""
    text = f"{entry.get('name')} {family}".lower()
    return any(sign in text for sign in EMBEDDING_SIGNS)


def ollama_find(host: str = HOST, port: int = PORT) -> Ollama | None:
    """Look for an Ollama at this address; return None when none responds."""
    answer = http_get(host, port, "/api/tags", timeout_s=0.5)
    if answer is None or answer[0] != 200:
        return None
    try:
        entries = json.loads(answer[1])["models"]
        names = [str(entry["name"]) for entry in entries if not is_for_embedding(entry)]
    except (ValueError, KeyError, TypeError):
        return None
    return Ollama(names[0] if names else None)
