from typing import Any

import pytest

from app.jobs.tests.probes import Long, Probe, Quick, probes_register


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    return probes_register(monkeypatch)


@pytest.fixture
def probe(probes: dict[str, Any]) -> Probe:
    found: Probe = probes["probe"]
    return found


@pytest.fixture
def quick(probes: dict[str, Any]) -> Quick:
    found: Quick = probes["quick"]
    return found


@pytest.fixture
def long(probes: dict[str, Any]) -> Long:
    found: Long = probes["long"]
    return found
