"""Models of an Ollama server: the installed ones, the context each is served with, fetching and deleting.

Uses Ollama's own client, which is loaded here only: it costs 10 MB, and a web process or a worker never needs it. They
speak to Ollama as to any OpenAI-compatible server (providers/openai.py).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.errors import Upstream
from app.lib.http import CONNECT_S
from app.llm.endpoint import Endpoint
from app.llm.providers.server_info import modelfile_context, same_model

if TYPE_CHECKING:
    from ollama import Client

ASK_S = 10.0
# Ollama sends nothing while it verifies a fetched model: two minutes for 40 GB.
PULL_SILENCE_S = 600.0


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model on the server. `trained` and `context` are tokens: its largest context, and the one it is served with.

    `context` is None until the model is loaded, unless its Modelfile sets it. `embeds`: it makes only vectors.
    """

    name: str
    bytes: int
    parameters: str
    trained: int | None
    context: int | None
    loaded: bool
    embeds: bool


@dataclass(frozen=True, slots=True)
class PullProgress:
    """Progress of a pull: `step` as named by Ollama, and bytes of the current part, 0 of 0 in steps without any."""

    step: str
    done: int = 0
    total: int = 0


class OllamaServer:
    """One Ollama server. Every method raises Upstream: model_unavailable, when Ollama does not respond."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    def is_ollama(self) -> bool:
        """Return whether the server is an Ollama, not another make with OpenAI's API."""
        import ollama

        try:
            with self._client() as client:
                client.ps()
        except (ollama.ResponseError, ValueError):
            return False
        return True

    def models(self) -> list[InstalledModel]:
        """Return the models that the server has."""
        with self._client() as client:
            contexts = {str(model.model): model.context_length for model in client.ps().models}
            return [self._installed(client, entry, contexts) for entry in client.list().models if entry.model]

    def pull(self, name: str) -> Iterator[PullProgress]:
        """Fetch a model; parts that are already there are not fetched again.

        Raises:
            Upstream: model_pull_failed, with Ollama's reason in details.
        """
        import ollama

        with self._client(PULL_SILENCE_S) as client:
            try:
                for progress in client.pull(name, stream=True):
                    yield PullProgress(progress.status or "", progress.completed or 0, progress.total or 0)
            except ollama.ResponseError as error:
                raise Upstream("model_pull_failed", details={"reason": error.error}) from error

    def delete(self, name: str) -> None:
        """Delete a model.

        Raises:
            Upstream: model_missing.
        """
        with self._client() as client, _model_missing(name):
            client.delete(name)

    def _installed(self, client: "Client", entry: Any, contexts: dict[str, int | None]) -> InstalledModel:
        """Return the model of a list entry; `contexts` has those of the loaded models."""
        name = str(entry.model)
        with _model_missing(name):
            details = client.show(name)
        metadata = details.modelinfo or {}
        trained = next((value for key, value in metadata.items() if key.endswith(".context_length")), None)
        loaded = next((other for other in contexts if same_model(other, name)), None)
        capabilities = [str(capability) for capability in details.capabilities or []]
        return InstalledModel(
            name=name,
            bytes=int(entry.size or 0),
            parameters=(entry.details.parameter_size or "") if entry.details else "",
            trained=trained if isinstance(trained, int) else None,
            context=contexts[loaded] if loaded is not None else modelfile_context(details.parameters),
            loaded=loaded is not None,
            embeds="embedding" in capabilities and "completion" not in capabilities,
        )

    @contextmanager
    def _client(self, read_s: float = ASK_S) -> Iterator["Client"]:
        import httpx
        import ollama

        limit = httpx.Timeout(read_s, connect=CONNECT_S)
        # The environment's proxy is not used: the server is in this network.
        options: dict[str, Any] = {"timeout": limit, "headers": self.endpoint.headers, "trust_env": False}
        try:
            with ollama.Client(self.endpoint.root, follow_redirects=False, **options) as client:
                yield client
        except (ConnectionError, httpx.HTTPError) as error:
            raise Upstream("model_unavailable", details={"reason": type(error).__name__}) from error


@contextmanager
def _model_missing(name: str) -> Iterator[None]:
    """Translate Ollama's refusals to error codes."""
    import ollama

    try:
        yield
    except ollama.ResponseError as error:
        if error.status_code != 404:
            raise Upstream("model_unavailable", details={"reason": error.error}) from error
        raise Upstream("model_missing", details={"model": name}) from error
