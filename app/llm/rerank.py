"""Reranking: a model reads the query beside each document and scores how well the document answers it."""

from collections.abc import Sequence

from app.errors import Upstream
from app.llm.endpoint import Endpoint
from app.llm.exchange import ExchangeFailed, RequestPolicy, exchange_run_async
from app.llm.providers import provider_of
from app.llm.providers.protocol import RankedDocument

REQUEST = RequestPolicy(attempts=2, timeout_s=15.0, backoff_s=0.25)  # a person is waiting


async def documents_rerank(
    *, endpoint: Endpoint, query: str, documents: Sequence[str], top_n: int | None = None
) -> list[RankedDocument]:
    """Rank documents by how well they answer the query, best first; at most `top_n` of them.

    Raises:
        Upstream: rerank_unavailable, within 15 seconds.
        ValueError: `top_n` is not positive.
    """
    if top_n is not None and top_n < 1:
        raise ValueError("top_n must be at least 1")
    if not documents:
        return []
    exchange = provider_of(endpoint).rerank(query, documents, model=endpoint.model, top_n=top_n)
    try:
        return await exchange_run_async(exchange, endpoint=endpoint, policy=REQUEST)
    except ExchangeFailed as failure:
        raise Upstream("rerank_unavailable", details=failure.details, retry_after_s=failure.retry_after_s) from failure
