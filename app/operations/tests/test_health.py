from typing import Any

import pytest
from django.test import Client

from app.library.tests.stores import upload
from app.settings import VERSION

pytestmark = pytest.mark.django_db(transaction=True)


def test_health_says_version_and_queues_and_nothing_of_anybody(acme: Any) -> None:
    upload(acme, "secret name.txt", b"secret text")
    answer = Client().get("/health")
    assert answer.status_code == 200
    lanes = {lane: {"queued": 0, "running": 0} for lane in ("interactive", "cpu", "network", "slow")}
    lanes["cpu"]["queued"] = 1
    assert answer.json() == {
        "status": "ok",
        "version": VERSION,
        "queues": {"queued": 1, "running": 0, "answers": 0, "lanes": lanes},
    }


def test_ready_asks_every_engine(qdrant: str, embedder: str) -> None:
    answer = Client().get("/ready")
    body = answer.json()
    assert (answer.status_code, body["ready"]) == (200, True)
    assert set(body["engines"]) == {"database", "cache", "search", "embeddings"}


def test_an_engine_that_is_down_makes_it_503(qdrant: str, embedder: str, settings: Any, unused_tcp_port: int) -> None:
    settings.QDRANT_URL = f"http://127.0.0.1:{unused_tcp_port}"
    answer = Client().get("/ready")
    assert answer.status_code == 503
    engines = answer.json()["engines"]
    assert [name for name, engine in engines.items() if not engine["ok"]] == ["search"]
