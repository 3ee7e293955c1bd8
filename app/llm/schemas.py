from typing import Any
from uuid import UUID

from ninja import Schema
from pydantic import ConfigDict, Field, field_validator

from app.lib.strict_types import Real, Whole
from app.llm.choices import Ability, EndpointKind
from app.secrets.schemas import SecretIn

MODELS_AT_MOST = 500


class ModelIn(Schema):
    """A model of a server. Prices are for a million tokens."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    context: Whole | None = Field(None, ge=1, le=100_000_000, description="Tokens that it reads")
    price_in: Real | None = Field(None, ge=0, le=1_000_000)
    price_out: Real | None = Field(None, ge=0, le=1_000_000)
    abilities: list[Ability] = Field(default_factory=list, max_length=len(Ability))


class DefaultsIn(Schema):
    model_config = ConfigDict(extra="forbid")

    model: str = Field("", max_length=200, description="Answers when a bot names none; empty: the server's first")


def _named_once(models: list[ModelIn] | None) -> list[ModelIn] | None:
    names = [model.name for model in models or []]
    if len(set(names)) < len(names):
        raise ValueError("names a model twice")
    return models


class EndpointIn(Schema):
    """A model server of the organisation. The first one answers by default."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=100, pattern=r"^[^/]+$")
    kind: EndpointKind = EndpointKind.OPENAI
    url: str = Field(min_length=1, max_length=500, description="Of an OpenAI-compatible server it ends in /v1")
    api_key: SecretIn | None = None
    models: list[ModelIn] = Field(default_factory=list, max_length=MODELS_AT_MOST)
    defaults: DefaultsIn = DefaultsIn(model="")
    is_default: bool | None = Field(None, strict=True)

    _models = field_validator("models")(_named_once)


class EndpointPatch(Schema):
    """Changes of an endpoint. Omitted fields stay unchanged. `api_key` null removes it; a new host needs it again."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(None, min_length=1, max_length=100, pattern=r"^[^/]+$")
    kind: EndpointKind | None = None
    url: str | None = Field(None, min_length=1, max_length=500)
    api_key: SecretIn | None = None
    models: list[ModelIn] | None = Field(None, max_length=MODELS_AT_MOST)
    defaults: DefaultsIn | None = None
    is_default: bool | None = Field(None, strict=True)

    _models = field_validator("models")(_named_once)


class ModelOut(Schema):
    name: str
    context: int | None
    price_in: float | None
    price_out: float | None
    abilities: list[str]


class DefaultsOut(Schema):
    model: str


class EndpointOut(Schema):
    """A model server. `organisation` and `url` are null for the deployment's own, which only operators change."""

    id: UUID
    organisation: UUID | None
    name: str
    kind: str
    url: str | None
    api_key_set: bool
    models: list[ModelOut]
    defaults: DefaultsOut
    is_default: bool
    learnt: dict[str, Any]
    healthy: bool | None
    created: str
    updated: str


class FailureOut(Schema):
    code: str
    message: str
    hint: str


class TrialOut(Schema):
    """The result of a request for one token: the reply, or the error."""

    ok: bool
    took_s: float
    model: str | None
    text: str | None
    error: FailureOut | None


class ServedModelOut(ModelOut):
    """A model of a server. `served`: whether the server lists it now; null when it did not respond."""

    served: bool | None


class ServedModelsOut(Schema):
    items: list[ServedModelOut]
    error: FailureOut | None
