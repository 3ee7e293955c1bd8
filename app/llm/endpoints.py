"""Which model server answers, and what it says about itself: model name, context size, slots."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from django.conf import settings

from app.errors import Upstream
from app.lib.http import http_session

DEFAULT_CONTEXT = 4096  # tokens; what Ollama serves when nothing else is set
DEFAULT_SLOTS = 64  # requests at once, for a server that does not tell how many it takes
FACTS_S = 300.0
ASK_S = 3.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An OpenAI-compatible model server. url ends in /v1; an empty model means the server's first one."""

    url: str
    model: str = ""
    api_key: str = ""

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}

    @property
    def root(self) -> str:
        return self.url.rstrip("/").removesuffix("/v1")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a served model is called, how many tokens it reads, how many requests run at once."""

    model: str
    context: int = DEFAULT_CONTEXT
    slots: int = DEFAULT_SLOTS


_facts: dict[Endpoint, tuple[float, Facts]] = {}


def endpoint_default(model: str = "") -> Endpoint | None:
    """The deployment's model server, or None when there is none: answers are then extractive."""
    if not settings.LLM_URL:
        return None
    return Endpoint(settings.LLM_URL, model or settings.LLM_MODEL, settings.LLM_API_KEY)


async def endpoint_facts(endpoint: Endpoint) -> Facts:
    """Ask the server about its model; remembered for five minutes.

    Raises:
        Upstream: model_unavailable, when it does not answer or has no model.
    """
    known = _facts.get(endpoint)
    if known is not None and time.monotonic() - known[0] < FACTS_S:
        return known[1]
    models = await _get(endpoint, f"{endpoint.url}/models")
    listed = models.get("data") if isinstance(models, dict) else None
    entries = [entry for entry in listed or [] if isinstance(entry, dict) and isinstance(entry.get("id"), str)]
    if models is None or (not entries and not endpoint.model):
        raise Upstream("model_unavailable", details={"reason": "no_model"})
    entry = next((entry for entry in entries if entry["id"] == endpoint.model), {}) if endpoint.model else entries[0]
    facts = await _measured(endpoint, endpoint.model or entry["id"], entry)
    _facts[endpoint] = (time.monotonic(), facts)
    return facts


def facts_forget() -> None:
    """Ask again at the next turn, for example after another model was loaded."""
    _facts.clear()


async def _measured(endpoint: Endpoint, model: str, entry: dict[str, Any]) -> Facts:
    """Context and slots from vLLM (`max_model_len`), llama.cpp (`/props`) or Ollama (`/api/ps`)."""
    if isinstance(entry.get("max_model_len"), int):
        return Facts(model, entry["max_model_len"])
    props, running = await asyncio.gather(
        _get(endpoint, f"{endpoint.root}/props"), _get(endpoint, f"{endpoint.root}/api/ps")
    )
    if isinstance(props, dict):
        settings_of_slot = props.get("default_generation_settings")
        context = settings_of_slot.get("n_ctx") if isinstance(settings_of_slot, dict) else None
        slots = props.get("total_slots")
        return Facts(model, _whole(context, DEFAULT_CONTEXT), _whole(slots, DEFAULT_SLOTS))
    loaded = running.get("models") if isinstance(running, dict) else None
    for one in loaded or []:
        if isinstance(one, dict) and model in (one.get("name"), one.get("model")):
            return Facts(model, _whole(one.get("context_length"), DEFAULT_CONTEXT))
    return Facts(model)


def _whole(value: Any, default: int) -> int:
    return value if isinstance(value, int) and value > 0 else default


async def _get(endpoint: Endpoint, url: str) -> Any:
    """The JSON at an address, or None when there is none.

    Raises:
        Upstream: model_unavailable, when the server cannot be reached.
    """
    try:
        async with http_session().get(
            url, headers=endpoint.headers, timeout=aiohttp.ClientTimeout(total=ASK_S), allow_redirects=False
        ) as answer:
            return orjson.loads(await answer.read()) if answer.status == 200 else None
    except orjson.JSONDecodeError:
        return None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Upstream("model_unavailable", details={"reason": type(error).__name__}) from error
