"""The embedding models whose indexes are kept: the one in use, and during a change the following or the former one.

A model and its index belong together: the client of a model knows its vector space, whose name and size give the
collection, and refuses vectors of another size.
"""

from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from asgiref.sync import sync_to_async
from django.conf import settings

from app.llm.choices import ChangeState
from app.llm.embedding_choice import Change, EmbeddingChoice, embedding_choice, embedding_choice_followed
from app.llm.embeddings import (
    DOCUMENTS,
    EmbeddingsClient,
    EmbeddingSpace,
    QuestionEmbedder,
    embeddings_endpoint,
    environment_client,
    environment_embedder,
)
from app.llm.endpoint import Endpoint
from app.llm.exchange import RequestPolicy
from app.secrets.services import secret_read

CREDENTIAL = "embedding_change.api_key"
# An upload does not wait for a server that answers no question (yet, or any more).
SIDE = RequestPolicy(attempts=1, timeout_s=60.0)


@dataclass(frozen=True, slots=True)
class KeptModel:
    """A model with an index. `complete`: every passage is in its index, so that one that is missing is an error."""

    client: EmbeddingsClient
    space: EmbeddingSpace
    complete: bool = True


@dataclass(frozen=True, slots=True)
class KeptModels:
    """All models with an index. `aside`: the following or the former one; `change`: of these two."""

    choice: EmbeddingChoice
    in_use: KeptModel
    aside: KeptModel | None = None
    change: UUID | None = None

    @property
    def all(self) -> list[KeptModel]:
        return [self.in_use, *([self.aside] if self.aside else [])]


def space_of(change: Change) -> EmbeddingSpace:
    return EmbeddingSpace(change.model, change.dimensions, change.max_tokens, change.unrelated)


def endpoint_of(change: Change) -> Endpoint:
    """Return the server of a change. Raises RefdeskError: secrets_key_missing, secret_unreadable."""
    if not change.url:
        return Endpoint(settings.EMBEDDINGS_URL, change.model, settings.EMBEDDINGS_API_KEY)
    key = ""
    if change.credential is not None:
        key = secret_read(organisation=None, secret=change.credential, purpose=CREDENTIAL).reveal()
    return Endpoint(change.url, change.model, key)


@lru_cache(maxsize=8)
def _client(change: UUID, updated: object, aside: bool) -> EmbeddingsClient:
    row = _rows[change]
    return EmbeddingsClient(endpoint_of(row), space=space_of(row), policy=SIDE if aside else DOCUMENTS)


@lru_cache(maxsize=8)
def _embedder(change: UUID, updated: object) -> QuestionEmbedder:
    row = _rows[change]
    return QuestionEmbedder(endpoint_of(row), space=space_of(row))


@lru_cache(maxsize=2)
def _former_client(space: EmbeddingSpace) -> EmbeddingsClient:
    """Return a client of the environment's server for the model that it had at the start of the change."""
    return EmbeddingsClient(embeddings_endpoint(), space=space, policy=SIDE)


_rows: dict[UUID, Change] = {}


def client_of(change: Change, *, aside: bool = False) -> EmbeddingsClient:
    """Return the client of a change's model, kept by the process until its address or key changes."""
    _rows[change.id] = change
    return _client(change.id, change.updated, aside)


def models_kept() -> KeptModels:
    """Return the models whose indexes are written, for workers and commands.

    Raises:
        Upstream: embeddings_unavailable.
        RefdeskError: secrets_key_missing, secret_unreadable.
    """
    choice = embedding_choice()
    client = _in_use(choice)
    in_use = KeptModel(client, client.space())
    if choice.following is not None:
        following = choice.following
        aside = client_of(following, aside=True)
        complete = following.state == ChangeState.READY and not following.behind
        return KeptModels(choice, in_use, KeptModel(aside, space_of(following), complete), following.id)
    if choice.in_use is not None and choice.has_before and choice.in_use.old_dimensions is not None:
        return KeptModels(choice, in_use, _former(choice, choice.in_use), choice.in_use.id)
    return KeptModels(choice, in_use)


def _in_use(choice: EmbeddingChoice) -> EmbeddingsClient:
    return environment_client() if choice.in_use is None else client_of(choice.in_use)


def _former(choice: EmbeddingChoice, change: Change) -> KeptModel:
    space = EmbeddingSpace(change.old_model, change.old_dimensions or 0)
    client = _former_client(space) if choice.before is None else client_of(choice.before, aside=True)
    return KeptModel(client, space, complete=not change.behind)


def embeddings_client() -> EmbeddingsClient:
    """Return the worker process's client of the model in use."""
    return _in_use(embedding_choice())


async def question_embedder() -> QuestionEmbedder:
    """Return the web process's client of the model in use, which it follows within FOLLOW_S.

    Raises:
        Upstream: embeddings_unavailable, when the deployment names no server.
        RefdeskError: database_unavailable, secrets_key_missing, secret_unreadable.
    """
    change = (await embedding_choice_followed()).in_use
    if change is None:
        return environment_embedder()
    if _rows.get(change.id) != change:
        _rows[change.id] = change
        # Reads the credential.
        return await sync_to_async(_embedder)(change.id, change.updated)
    return _embedder(change.id, change.updated)
