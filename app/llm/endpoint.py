"""Endpoints: the address of a model server, its wire format, and the capabilities learnt from it."""

import time
from dataclasses import dataclass, field

DEFAULT_CONTEXT = 4096  # tokens; the least that Ollama serves by default
DEFAULT_SLOTS = 64  # simultaneous requests, for a server that does not state its number
INFO_S = 300.0
REPLY_CHARACTERS = 300
UNCERTAIN_INFO_S = 5.0  # Ollama reports its context once the model is loaded, which the first question causes


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A served model: its name, tokens of context, simultaneous requests.

    `context_known` is False while the server does not report its context; the least is then assumed.
    """

    model: str
    context: int = DEFAULT_CONTEXT
    slots: int = DEFAULT_SLOTS
    context_known: bool = True


@dataclass(slots=True)
class Learnt:
    """Capabilities that a server has shown, written by its provider and kept with the endpoint in this process.

    `refused`: names of request parameters that the server refused and that are no longer sent.
    """

    refused: set[str] = field(default_factory=set)
    _infos: dict[str, tuple[float, ModelInfo]] = field(default_factory=dict)  # with the end of its validity

    def info(self, model: str) -> ModelInfo | None:
        """Return the known facts of a model, for five minutes after they were requested."""
        until_s, info = self._infos.get(model, (0.0, None))
        return info if time.monotonic() < until_s else None

    def info_keep(self, model: str, info: ModelInfo) -> None:
        lifetime_s = INFO_S if info.context_known else UNCERTAIN_INFO_S
        self._infos[model] = (time.monotonic() + lifetime_s, info)

    def infos_forget(self) -> None:
        """Forget the models' facts, so that the server is queried again, for example after another model was loaded."""
        self._infos.clear()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model server. `url` ends in /v1 for an OpenAI-compatible one; an empty `model` means the server's first.

    `kind` names the wire format, a key of `app.llm.providers.PROVIDERS`. A copy for another model
    (`dataclasses.replace`) shares `learnt`. `guarded`: an organisation entered the address, so the egress policy checks
    each connection.
    """

    url: str
    model: str = ""
    api_key: str = field(default="", repr=False)
    kind: str = "openai"
    guarded: bool = False
    learnt: Learnt = field(default_factory=Learnt, compare=False, repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers of every request."""
        key = {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        return {"Content-Type": "application/json", **key}

    def reply_of(self, content: bytes) -> str:
        """Return the start of the server's reply, without the key: some servers repeat a key that they refuse."""
        text = content.decode("utf-8", "replace")
        return (text.replace(self.api_key, "***") if self.api_key else text)[:REPLY_CHARACTERS]

    @property
    def root(self) -> str:
        """Return the address without /v1, the root of a server's own paths."""
        return self.url.rstrip("/").removesuffix("/v1")
