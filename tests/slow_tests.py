"""Tests that may take longer than the budget of their marker: seconds, and why.

The table only shrinks: lower SLOW_TESTS_AT_MOST when an entry goes.
"""

SLOW_TESTS_AT_MOST = 60
SLOW_TESTS: dict[str, tuple[float, str]] = {}
