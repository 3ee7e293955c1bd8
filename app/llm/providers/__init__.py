"""Providers of language and embedding models: one file for each wire format, all with the same protocol."""

from collections.abc import Callable, Mapping

from app.llm.endpoint import Endpoint
from app.llm.providers.openai import OpenAIProvider
from app.llm.providers.protocol import Provider

PROVIDERS: Mapping[str, Callable[[Endpoint], Provider]] = {"openai": OpenAIProvider}


def provider_of(endpoint: Endpoint) -> Provider:
    """Return the provider of the endpoint's wire format.

    Raises:
        ValueError: no provider has this kind.
    """
    provider = PROVIDERS.get(endpoint.kind)
    if provider is None:
        raise ValueError(f"{endpoint.kind!r} is no kind of model server; known are {', '.join(PROVIDERS)}")
    return provider(endpoint)
