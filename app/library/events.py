"""Publish changes of documents to every open page, through Valkey.

A message is the Document as the API returns it, so that a page's process needs no query. Messages may be lost with
Valkey; a page that reconnects reads the rows again.
"""

import logging
from collections.abc import AsyncIterator, Iterable
from functools import cache
from uuid import UUID

import orjson
import redis
import redis.asyncio
from django.conf import settings

from app.library.models import Document
from app.library.selectors.documents import document_payload, documents_describe

log = logging.getLogger(__name__)

ANSWER_S = 3.0


def channel_of(organisation: UUID) -> str:
    return f"documents:{organisation}"


@cache
def _client() -> redis.Redis:
    return redis.Redis.from_url(settings.VALKEY_URL, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S)


def document_publish(document: Document) -> None:
    """Publish a document to the pages of its organisation. document: a result of `documents_describe`.

    Never raises: a lost message is harmless, since pages read the rows again.
    """
    try:
        _client().publish(channel_of(document.organisation_id), orjson.dumps(document_payload(document)))
    except redis.RedisError as error:
        log.warning("news of a document could not be sent: %s", type(error).__name__)


def documents_publish(*, documents: Iterable[UUID]) -> None:
    wanted = list(documents)
    if wanted:
        for document in documents_describe(Document.objects.filter(pk__in=wanted)):
            document_publish(document)


def document_publish_deleted(*, organisation: UUID, document: UUID) -> None:
    try:
        _client().publish(channel_of(organisation), orjson.dumps({"id": str(document), "deleted": True}))
    except redis.RedisError as error:
        log.warning("news of a document could not be sent: %s", type(error).__name__)


async def documents_follow(*, organisation: UUID, idle_s: float = 5.0) -> AsyncIterator[bytes | None]:
    """Yield messages as JSON, or None after `idle_s` seconds without one. The first None follows the subscription."""
    client = redis.asyncio.Redis.from_url(settings.VALKEY_URL, socket_connect_timeout=ANSWER_S)
    try:
        async with client.pubsub(ignore_subscribe_messages=True) as subscription:
            await subscription.subscribe(channel_of(organisation))
            yield None
            while True:
                message = await subscription.get_message(timeout=idle_s)
                yield message["data"] if message is not None else None
    finally:
        await client.aclose()
