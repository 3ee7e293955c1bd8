from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet

from app.errors import NotFound
from app.llm.models import ModelEndpoint
from app.llm.providers.protocol import ServedModel

# A server that routes to many models lists hundreds.
MODELS_SHOWN = 1000


def endpoint_list(*, organisation: UUID) -> QuerySet[ModelEndpoint]:
    """Return the model servers that an organisation may use: its own and the deployment's."""
    return ModelEndpoint.objects.filter(Q(organisation=organisation) | Q(organisation=None))


def endpoint_get(*, organisation: UUID, endpoint: UUID) -> ModelEndpoint:
    """Return an endpoint. Raises NotFound."""
    row = endpoint_list(organisation=organisation).filter(pk=endpoint).first()
    if row is None:
        raise NotFound(message="There is no such model server.")
    return row


def endpoint_read(row: ModelEndpoint) -> dict[str, Any]:
    """Return the fields that an organisation sees; the address of the deployment's own server is not among them."""
    shared = row.organisation_id is None
    return {
        "id": row.pk,
        "organisation": row.organisation_id,
        "name": row.name,
        "kind": row.kind,
        "url": None if shared else row.url,
        "api_key_set": api_key_is_set(row),
        "models": [model_read(model) for model in row.served_models],
        "defaults": {"model": row.defaults.get("model", "")},
        "is_default": row.is_default,
        "learnt": {} if shared else row.learnt,
        "healthy": row.healthy,
        "created": row.created.isoformat(),
        "updated": row.updated.isoformat(),
    }


def api_key_is_set(row: ModelEndpoint) -> bool:
    return bool(settings.LLM_API_KEY) if row.from_environment else row.credential_id is not None


def model_read(model: dict[str, Any]) -> dict[str, Any]:
    """Return a stored model with every field, also those that newer versions added."""
    return {
        "name": model["name"],
        "context": model.get("context"),
        "price_in": model.get("price_in"),
        "price_out": model.get("price_out"),
        "abilities": list(model.get("abilities", [])),
    }


def models_merge(row: ModelEndpoint, served: Sequence[ServedModel] | None) -> list[dict[str, Any]]:
    """Return the models of a row, then those that only the server lists. served: None when it did not respond."""
    listed = None if served is None else {model.name: model for model in served}
    known = [model_read(model) for model in row.served_models]
    for model in known:
        model["served"] = None if listed is None else model["name"] in listed
        if listed and model["name"] in listed:
            model["context"] = model["context"] or listed[model["name"]].context
    names = {model["name"] for model in known}
    more = [
        {**model_read({"name": model.name, "context": model.context}), "served": True}
        for model in served or ()
        if model.name not in names
    ]
    return [*known, *more[:MODELS_SHOWN]]
