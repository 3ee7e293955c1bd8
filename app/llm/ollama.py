"""An Ollama server's models: what it has, what each is served with, fetching and deleting.

By Ollama's own client, which is loaded here only: it costs 10 MB, and a web process or a worker never needs it. They
talk to Ollama as to any OpenAI-compatible server (chat.py, embeddings.py, endpoints.py).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.errors import Upstream
from app.lib.http import CONNECT_S
from app.llm.endpoint import Endpoint
from app.llm.providers.served import context_set, same_model

if TYPE_CHECKING:
    from ollama import Client

ASK_S = 10.0
# While it checks what it has fetched it says nothing: two minutes for 40 GB.
PULL_SILENCE_S = 600.0


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """`trained` and `context` are tokens: what the model could read, and what it is served with.

    `context` is None until the model is loaded, unless its Modelfile sets it. `embeds`: it makes vectors only.
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
    """`step` in Ollama's words; bytes of the part that is being fetched, 0 of 0 in steps without any."""

    step: str
    done: int = 0
    total: int = 0


class OllamaServer:
    """Every method raises Upstream: model_unavailable when Ollama does not answer."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    def is_ollama(self) -> bool:
        """Whether the server is an Ollama at all, and not another one that speaks OpenAI's API."""
        import ollama

        try:
            with self._client() as client:
                client.ps()
        except (ollama.ResponseError, ValueError):
            return False
        return True

    def models(self) -> list[InstalledModel]:
        with self._client() as client:
            running = {str(one.model): one.context_length for one in client.ps().models}
            return [self._described(client, one, running) for one in client.list().models if one.model]

    def pull(self, name: str) -> Iterator[PullProgress]:
        """Fetch a model; what there is of it already is not fetched again.

        Raises:
            Upstream: model_pull_failed, with Ollama's reason in details.
        """
        import ollama

        with self._client(PULL_SILENCE_S) as client:
            try:
                for one in client.pull(name, stream=True):
                    yield PullProgress(one.status or "", one.completed or 0, one.total or 0)
            except ollama.ResponseError as error:
                raise Upstream("model_pull_failed", details={"reason": error.error}) from error

    def delete(self, name: str) -> None:
        """Raises Upstream: model_missing."""
        with self._client() as client, _missing_told(name):
            client.delete(name)

    def _described(self, client: "Client", listed: Any, running: dict[str, int | None]) -> InstalledModel:
        name = str(listed.model)
        with _missing_told(name):
            shown = client.show(name)
        facts = shown.modelinfo or {}
        trained = next((value for key, value in facts.items() if key.endswith(".context_length")), None)
        loaded = next((one for one in running if same_model(one, name)), None)
        capabilities = [str(one) for one in shown.capabilities or []]
        return InstalledModel(
            name=name,
            bytes=int(listed.size or 0),
            parameters=(listed.details.parameter_size or "") if listed.details else "",
            trained=trained if isinstance(trained, int) else None,
            context=running[loaded] if loaded is not None else context_set(shown.parameters),
            loaded=loaded is not None,
            embeds="embedding" in capabilities and "completion" not in capabilities,
        )

    @contextmanager
    def _client(self, read_s: float = ASK_S) -> Iterator["Client"]:
        import httpx
        import ollama

        limit = httpx.Timeout(read_s, connect=CONNECT_S)
        # No proxy of the environment: the server is in this network.
        options: dict[str, Any] = {"timeout": limit, "headers": self.endpoint.headers, "trust_env": False}
        try:
            with ollama.Client(self.endpoint.root, follow_redirects=False, **options) as client:
                yield client
        except (ConnectionError, httpx.HTTPError) as error:
            raise Upstream("model_unavailable", details={"reason": type(error).__name__}) from error


@contextmanager
def _missing_told(name: str) -> Iterator[None]:
    import ollama

    try:
        yield
    except ollama.ResponseError as error:
        if error.status_code != 404:
            raise Upstream("model_unavailable", details={"reason": error.error}) from error
        raise Upstream("model_missing", details={"model": name}) from error
