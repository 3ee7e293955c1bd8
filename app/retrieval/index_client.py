"""Qdrant's own client for workers and commands, with our retries and errors. Never imported by the web process.

Importing it adds 49 MB and a second: docs/decisions/0001-qdrant-client-in-workers.md.
"""

import ssl
import time
from collections.abc import Callable
from json import JSONDecodeError
from typing import TypeVar

from qdrant_client import QdrantClient
from qdrant_client.common.client_exceptions import QdrantException, ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from app.lib.http import RETRIED, wait_s
from app.retrieval.index import IndexRefused, IndexServer, unavailable

WRITE_S = 30
ATTEMPTS = 4
BACKOFF_S = 0.25

T = TypeVar("T")


class IndexClient:
    """Calls to one server. Safe to share between threads."""

    def __init__(self, server: IndexServer) -> None:
        self._qdrant = QdrantClient(
            url=server.url,
            # Otherwise an address without a port gets 6333, but the web process uses the scheme's port.
            port=None,
            # Passed as `api_key`, the client warns about every address without TLS, such as those within a box.
            headers={"api-key": server.api_key} if server.api_key else {},
            timeout=WRITE_S,
            check_compatibility=False,
            # The machine's certificate authorities, and no proxy of the environment, as in the web process.
            verify=ssl.create_default_context(),
            trust_env=False,
        )

    def call(self, operation: Callable[[QdrantClient], T]) -> T:
        """Run an operation that may be repeated without harm.

        Raises:
            IndexRefused: Qdrant refuses it.
            Upstream: search_unavailable, after the last attempt.
        """
        for attempt in range(ATTEMPTS):
            retry_after: str | None = None
            try:
                return operation(self._qdrant)
            except UnexpectedResponse as error:
                if error.status_code not in RETRIED:
                    raise IndexRefused(error.status_code or 0, error.content) from error
                failure = unavailable(f"HTTP {error.status_code}")
                retry_after = error.headers.get("Retry-After")
            except ResourceExhaustedResponse as error:
                failure, retry_after = unavailable("HTTP 429"), str(error.retry_after_s)
            except (QdrantException, ResponseHandlingException, JSONDecodeError) as error:
                failure = unavailable(type(getattr(error, "source", error)).__name__)
            if attempt < ATTEMPTS - 1:
                time.sleep(wait_s(attempt, retry_after, backoff_s=BACKOFF_S))
        raise failure
