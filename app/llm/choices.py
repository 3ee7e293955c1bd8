from django.db import models


class EndpointKind(models.TextChoices):
    """Kinds of model servers. A kind without its own provider (app/llm/providers) uses OpenAI's wire format."""

    OPENAI = "openai", "OpenAI"
    AZURE = "azure", "Azure OpenAI"
    ANTHROPIC = "anthropic", "Anthropic"
    GEMINI = "gemini", "Google Gemini"
    MISTRAL = "mistral", "Mistral"
    GROQ = "groq", "Groq"
    CEREBRAS = "cerebras", "Cerebras"
    OPENROUTER = "openrouter", "OpenRouter"
    OLLAMA = "ollama", "Ollama"
    VLLM = "vllm", "vLLM"
    LLAMACPP = "llamacpp", "llama.cpp"
    OTHER = "other", "Another, compatible with OpenAI's API"


class Ability(models.TextChoices):
    """Abilities of a model beyond writing text."""

    TOOLS = "tools", "Calls tools"
    VISION = "vision", "Reads images"
    JSON = "json", "Writes by a schema"
    THINKING = "thinking", "Thinks first"
    EMBED = "embed", "Makes vectors"
    RERANK = "rerank", "Ranks passages"


class ChangeState(models.TextChoices):
    """States of a change of the embedding model, in their order."""

    MEASURED = "measured", "Measured"  # its cost is known; nothing has been changed
    FILLING = "filling", "Filling"  # the second index is being filled
    PAUSED = "paused", "Paused"
    READY = "ready", "Ready"  # the second index is complete and is kept so
    SWITCHED = "switched", "Switched"  # the new index answers, the old one is still there
    DONE = "done", "Done"  # the old index is dropped
    ABANDONED = "abandoned", "Abandoned"


# From the start until the old index is dropped there are two indexes.
TWO_INDEXES = (ChangeState.FILLING, ChangeState.PAUSED, ChangeState.READY, ChangeState.SWITCHED)
BEFORE_SWITCH = (ChangeState.FILLING, ChangeState.PAUSED, ChangeState.READY)
