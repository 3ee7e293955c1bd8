"""The operator's choice of the embedding model, read from the database.

Each process reads it again: a worker for each document, the web process every FOLLOW_S seconds. The old index is kept
true and is not dropped for DROP_AFTER_S after a switch, so a process that has not followed yet still finds everything.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from app.errors import RefdeskError
from app.lib.async_sql import fetch
from app.llm.choices import ChangeState

FOLLOW_S = 2.0
# Longer than a question that began before the switch may take to embed and to search.
DROP_AFTER_S = 60.0

_CHANGES = """
SELECT id, state, url, model, credential_id, updated, dimensions, max_tokens, unrelated, old_model, old_dimensions,
    behind
FROM llm_embeddingchange WHERE state IN ('filling', 'paused', 'ready', 'switched', 'done')
ORDER BY switched DESC NULLS FIRST, created DESC LIMIT 3
"""


@dataclass(frozen=True, slots=True)
class Change:
    """A row of EmbeddingChange."""

    id: UUID
    state: ChangeState
    url: str
    model: str
    credential: UUID | None
    updated: object
    dimensions: int
    max_tokens: int | None
    unrelated: float
    old_model: str
    old_dimensions: int | None
    behind: bool


@dataclass(frozen=True, slots=True)
class EmbeddingChoice:
    """The changes that name the models of today. None as `in_use` or as `before`: the environment names it.

    following: the change whose index is being filled. has_before: the index of the model before is still there.
    """

    in_use: Change | None = None
    following: Change | None = None
    has_before: bool = False
    before: Change | None = None

    @property
    def key(self) -> tuple[object, ...]:
        """Return a value that changes when an index is added or removed, or another one is searched."""
        return (self.in_use and self.in_use.id, self.following and self.following.id, self.has_before)


def choice_build(rows: Iterable[Sequence[Any]]) -> EmbeddingChoice:
    changes = [Change(row[0], ChangeState(row[1]), *row[2:]) for row in rows]
    switched = [change for change in changes if change.state in (ChangeState.SWITCHED, ChangeState.DONE)]
    following = next((change for change in changes if change not in switched), None)
    in_use = switched[0] if switched else None
    has_before = in_use is not None and in_use.state == ChangeState.SWITCHED
    return EmbeddingChoice(in_use, following, has_before, switched[1] if has_before and len(switched) > 1 else None)


def embedding_choice() -> EmbeddingChoice:
    """Read the choice, for workers and commands."""
    with connection.cursor() as cursor:
        cursor.execute(_CHANGES)
        return choice_build(cursor.fetchall())


_read: tuple[float, EmbeddingChoice] | None = None


async def embedding_choice_followed() -> EmbeddingChoice:
    """Return the choice as it was at most FOLLOW_S ago, or at the last reading if the database is unavailable.

    Raises:
        RefdeskError: database_unavailable, at the first reading.
    """
    global _read
    if _read is None or time.monotonic() - _read[0] > FOLLOW_S:
        try:
            _read = time.monotonic(), choice_build(await fetch(_CHANGES, {}))
        except RefdeskError:
            if _read is None:
                raise
    return _read[1]


def embedding_choice_forget() -> None:
    """Read the choice anew at the next question."""
    global _read
    _read = None
