"""A certified provider for all tests of sign-in, honest again at the start of each."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache

from app.oidc.bearer import _callers
from app.oidc.discovery import provider_forget
from app.oidc.tests.oidc_provider import CLIENT_ID, CLIENT_SECRET, PUBLIC, OidcProvider


@pytest.fixture(scope="session")
def certified_provider() -> Iterator[OidcProvider]:
    provider = OidcProvider()
    yield provider
    provider.stop()


@pytest.fixture
def provider(certified_provider: OidcProvider, settings: Any, db: Any) -> OidcProvider:
    """Configure the honest provider, with empty caches."""
    certified_provider.control()
    settings.OIDC_ISSUER = certified_provider.issuer
    settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = CLIENT_ID, CLIENT_SECRET
    settings.PUBLIC_URL = PUBLIC
    provider_forget()
    cache.clear()
    _callers.clear()
    return certified_provider
