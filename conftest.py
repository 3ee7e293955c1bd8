"""Loads the shared fixtures once Django is set up; `tests.engines`, named in pyproject.toml, has started before."""

pytest_plugins = ["tests.database", "tests.people"]
