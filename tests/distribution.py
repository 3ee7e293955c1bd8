"""pytest plugin: how a run in several processes (`-n 2`) shares out the files.

A file stays whole, for its module's fixtures. All files that ask the real model servers form one unit: those tests
look at a server's counters and at what it has loaded, so that two at once would see each other. Buckets, realms,
collections and models have random names and need no unit.
"""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).resolve().parents[1]
MODEL_SERVERS = "from app.llm.tests.real_servers import"


@cache
def unit_of(path: str) -> str:
    """Return the name of the unit of work that a test file belongs to."""
    return "real model servers" if MODEL_SERVERS in (ROOT / path).read_text("utf-8") else path


class FileScheduling(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid.partition("::")[0])


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    # In the order of collection, which is: the longest first. By default the files with most tests come first.
    config.option.loadscopereorder = False


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FileScheduling:
    return FileScheduling(config, log)
