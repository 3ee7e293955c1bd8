"""Tests that may take longer than the budget of their marker: seconds, and why. This table only shrinks."""

SLOW_TESTS: dict[str, tuple[float, str]] = {}
