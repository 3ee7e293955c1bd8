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
