"""pytest plugin: real servers to test against, given by address.

`@pytest.mark.server("S3")` on a test: it needs the server of REFDESK_TEST_S3_URL, and prints a skip without it.
"""

import os

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "server(name): needs the real server of REFDESK_TEST_<name>_URL")


def server_url(name: str) -> str:
    """Return the address in REFDESK_TEST_<name>_URL, or an empty text."""
    return os.environ.get(f"REFDESK_TEST_{name}_URL", "").rstrip("/")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("server"):
        if not server_url(mark.args[0]):
            pytest.skip(f"REFDESK_TEST_{mark.args[0]}_URL is not set")
