"""Health of this process and of the engines that it needs."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import redis
import urllib3
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from app.chat.choices import MessageState
from app.chat.models import Message
from app.jobs.choices import JobState, Lane
from app.jobs.selectors import lane_depths
from app.lib.storage import storage_ping
from app.lib.tenancy import scope_enter_everything
from app.llm.embeddings import environment_client
from app.llm.models_kept import embeddings_client

ANSWER_S = 2.0

_threads = ThreadPoolExecutor(2, "health")
_http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(ANSWER_S))


def queue_depths() -> dict[str, Any] | None:
    """Return jobs that wait or run, and answers that are being written; None when the database does not answer soon."""
    try:
        return _threads.submit(_queue_depths).result(ANSWER_S)
    except (TimeoutError, DatabaseError, InterfaceError):
        return None


def _queue_depths() -> dict[str, Any]:
    # Counts of the whole box, without any names.
    scope_enter_everything()
    try:
        depths = lane_depths()
        answers = Message.objects.filter(state=MessageState.RUNNING).count()
        states = (JobState.QUEUED, JobState.RUNNING)
        total = {state.value: sum(depth.jobs for depth in depths if depth.state == state) for state in states}
        lanes = {lane.value: {depth.state.value: depth.jobs for depth in depths if depth.lane == lane} for lane in Lane}
        return {**total, "answers": answers, "lanes": lanes}
    finally:
        connection.close()


def engines_check() -> dict[str, dict[str, Any]]:
    """Check every engine at once: whether it responds, how fast, and the fault."""
    checks = engine_checks()
    with ThreadPoolExecutor(len(checks)) as threads:
        return dict(zip(checks, threads.map(_timed, checks.values()), strict=True))


def engine_checks() -> dict[str, Callable[[], None]]:
    files = {"files": lambda: storage_ping(ANSWER_S, make=True)} if settings.S3_URL else {}
    return {
        "database": _database,
        "cache": _cache,
        "search": lambda: _get(f"{settings.QDRANT_URL}/readyz"),
        "embeddings": _embeddings,
        **files,
    }


def _timed(check: Callable[[], None]) -> dict[str, Any]:
    begun = time.perf_counter()
    try:
        check()
    except Exception as error:  # any error means that this engine is down
        # The error's text may contain an address or a password.
        return {"ok": False, "reason": type(error).__name__}
    return {"ok": True, "seconds": round(time.perf_counter() - begun, 4)}


def _database() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()


def _embeddings() -> None:
    """Ask the server of the model in use; the settings' one while the database does not name it."""
    try:
        endpoint = embeddings_client().endpoint
    except (DatabaseError, InterfaceError):
        endpoint = environment_client().endpoint
    finally:
        connection.close()
    _get(f"{endpoint.url}/models", endpoint.api_key)


def _cache() -> None:
    with redis.Redis.from_url(settings.VALKEY_URL, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S) as client:
        client.ping()


def _get(url: str, key: str = "") -> None:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    answer = _http.request("GET", url, headers=headers, redirect=False)
    if answer.status != 200:
        raise ConnectionError(answer.status)
