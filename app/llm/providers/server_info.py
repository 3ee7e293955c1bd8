"""Facts of an OpenAI-compatible server: its models, and context and slots as each make of server reports them."""

import re
from collections.abc import Sequence
from typing import Any

import orjson

from app.lib.http import ServerResponse
from app.llm.endpoint import DEFAULT_CONTEXT, DEFAULT_SLOTS, Endpoint, ModelInfo
from app.llm.exchange import Exchange, ExchangeFailed, WireRequest, content_of
from app.llm.providers.protocol import NoModelServed, ServedModel

EMBEDDING_SIGNS = ("embed", "minilm", "bge", "e5", "gte", "bert")


def model_embeds(name: str) -> bool:
    """Return whether a model makes vectors, judged by its name: Ollama lists chat and embedding models together."""
    return any(sign in name.lower() for sign in EMBEDDING_SIGNS)


def same_model(name: str, other: str) -> bool:
    """Return whether two names mean the same model: Ollama lists `qwen2.5:latest` for a requested `qwen2.5`."""
    return name.removesuffix(":latest") == other.removesuffix(":latest")


def modelfile_context(parameters: Any) -> int | None:
    """Return the tokens of context that a model's Modelfile sets, from the parameters that Ollama returns."""
    match = re.search(r"^num_ctx\s+(\d+)\s*$", parameters, re.MULTILINE) if isinstance(parameters, str) else None
    return int(match[1]) if match and int(match[1]) else None


def models_exchange(endpoint: Endpoint) -> Exchange[list[ServedModel]]:
    content = content_of((yield WireRequest(f"{endpoint.url}/models")), endpoint)
    try:
        entries = [entry for entry in orjson.loads(content).get("data") or [] if isinstance(entry, dict)]
        named = [entry for entry in entries if isinstance(entry.get("id"), str)]
        return [ServedModel(entry["id"], _positive(entry.get("max_model_len"))) for entry in named]
    except (ValueError, TypeError, AttributeError) as error:
        raise ExchangeFailed(f"the list of models cannot be read: {error!r}") from error


def info_exchange(endpoint: Endpoint, wanted: str) -> Exchange[ModelInfo]:
    """Read context and slots from vLLM (`max_model_len`), llama.cpp (`/props`) or Ollama (`/api/ps`, `/api/show`)."""
    models = yield from models_exchange(endpoint)
    if not models and not wanted:
        raise NoModelServed("no_model")
    served = _chosen(models, wanted)
    model = wanted or served.name
    if served.context is not None:
        return ModelInfo(model, served.context)
    props = _object((yield WireRequest(f"{endpoint.root}/props", optional=True)))
    if props is not None:
        slot = props.get("default_generation_settings")
        context = slot.get("n_ctx") if isinstance(slot, dict) else None
        return ModelInfo(
            model, _positive(context) or DEFAULT_CONTEXT, _positive(props.get("total_slots")) or DEFAULT_SLOTS
        )
    running = _object((yield WireRequest(f"{endpoint.root}/api/ps", optional=True)))
    if running is None:
        return ModelInfo(model)
    for entry in running.get("models") or []:
        if isinstance(entry, dict) and same_model(model, str(entry.get("name"))):
            return ModelInfo(model, _positive(entry.get("context_length")) or DEFAULT_CONTEXT)
    show = WireRequest(f"{endpoint.root}/api/show", orjson.dumps({"model": model}), optional=True)
    shown = _object((yield show)) or {}
    return ModelInfo(model, modelfile_context(shown.get("parameters")) or DEFAULT_CONTEXT, context_known=False)


def _chosen(models: Sequence[ServedModel], wanted: str) -> ServedModel:
    """Return the wanted model, without a context if it is not listed; if none is named, the first text model."""
    if wanted:
        return next((model for model in models if same_model(model.name, wanted)), ServedModel(wanted))
    return next((model for model in models if not model_embeds(model.name)), models[0])


def _object(response: ServerResponse) -> dict[str, Any] | None:
    """Return the JSON object of a response, None when there is none."""
    try:
        content = orjson.loads(response.content) if response.status == 200 else None
    except orjson.JSONDecodeError:
        return None
    return content if isinstance(content, dict) else None


def _positive(value: Any) -> int | None:
    return value if isinstance(value, int) and value > 0 else None
