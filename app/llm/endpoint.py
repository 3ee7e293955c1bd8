"""Endpoints: where a model server is, how it is spoken to, and what has been learnt of it."""

import time
from dataclasses import dataclass, field

DEFAULT_CONTEXT = 4096  # tokens; the least that Ollama serves when nothing else is set
DEFAULT_SLOTS = 64  # requests at once, for a server that does not tell how many it takes
INFO_S = 300.0
REPLY_CHARACTERS = 300
UNCERTAIN_INFO_S = 5.0  # Ollama says how much it serves once the model is loaded, which the first question does


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A served model: its name, tokens of context, requests that run at once.

    `context_known` is False when the server does not say yet how much it reads, and the least is assumed.
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
    _infos: dict[str, tuple[float, ModelInfo]] = field(default_factory=dict)  # until when each holds

    def info(self, model: str) -> ModelInfo | None:
        """Return what is known of a model, for five minutes after it was asked for."""
        until_s, info = self._infos.get(model, (0.0, None))
        return info if time.monotonic() < until_s else None

    def info_keep(self, model: str, info: ModelInfo) -> None:
        lifetime_s = INFO_S if info.context_known else UNCERTAIN_INFO_S
        self._infos[model] = (time.monotonic() + lifetime_s, info)

    def infos_forget(self) -> None:
        """Let the server be asked again, for example after another model was loaded."""
        self._infos.clear()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model server. `url` ends in /v1 for an OpenAI-compatible one; an empty `model` means the server's first.

    `kind` names the wire format, a key of `app.llm.providers.PROVIDERS`. A copy for another model
    (`dataclasses.replace`) shares what was learnt. `guarded`: an organisation entered the address, so that the egress
    policy decides about it at each connection.
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
        """Return the start of what the server said, without the key: some repeat the one that they refuse."""
        text = content.decode("utf-8", "replace")
        return (text.replace(self.api_key, "***") if self.api_key else text)[:REPLY_CHARACTERS]

    @property
    def root(self) -> str:
        """Return the address without /v1, where servers have what is their own."""
        return self.url.rstrip("/").removesuffix("/v1")
