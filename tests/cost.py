"""pytest plugin: every test is marked by what it costs: `unit`, `db`, `engine`, `browser`, `box` or `stack`.

The marker follows from what a test reaches: its marks, its fixtures, and what these and the test code that they call
name. Nobody writes it by hand, and the dearest of several counts.
"""

import inspect
from collections.abc import Iterator
from functools import cache
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest

COSTS = {
    "unit": "Python alone",
    "db": "PostgreSQL",
    "engine": "vectors, embeddings, Valkey alone, or a program that the test starts",
    "browser": "Chromium",
    "box": "a whole box: supervisor, engines, web and worker",
    "stack": "a real server of the appliance",
}
FIXTURES = {"qdrant": "engine", "embedder": "engine", "db": "db", "transactional_db": "db", "clean_database": "db"}
# Fixtures of every test with a database, too.
STORES = {"postgres", "valkey"}
# Not followed into: it starts what the fixtures above name.
PLUMBING = {"tests.engines", "tests.database", "pytest_django.fixtures"}
STARTERS = {
    ("playwright.sync_api", "sync_playwright"): "browser",
    ("tests.box.box_process", "BoxProcess"): "box",
    ("app.llm.tests.real_servers", "tiny_ollama"): "stack",
    ("app.library.pipeline.sandbox", "parse_and_chunk"): "engine",
    ("app.library.pipeline.member_reader", "members_read"): "engine",
    ("app.library.speech.local", "LocalTranscriber"): "engine",
    ("app.library.ocr.reading_process", "pages_recognise"): "engine",
    ("app.library.speech.remote", "RemoteTranscriber"): "engine",
    ("subprocess", "Popen"): "engine",
    ("subprocess", "run"): "engine",
    ("app.library.pipeline.office", "converted"): "engine",
    ("app.embedded.process_spec", "engine_start"): "engine",
    ("app.embedded.model", "model_fetch"): "engine",
    ("app.embedded.postgres", "Postgres"): "engine",
    ("app.embedded.valkey", "Valkey"): "engine",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="also what is marked `whole`: every combination of a matrix")


def pytest_configure(config: pytest.Config) -> None:
    for name, meaning in COSTS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}; set by tests/cost.py")
    config.addinivalue_line("markers", "whole: runs with --all only; a sample of it runs always")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [] if config.option.all else [item for item in items if item.get_closest_marker("whole")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("whole")]
    for item in items:
        assert isinstance(item, pytest.Function)
        item.add_marker(cost_of(item))
    # The dearest files first, so that the processes of a run end together.
    dearest: dict[Any, int] = {}
    for item in items:
        dearest[item.path] = max(dearest.get(item.path, 0), rank(marker_of(item)))
    items.sort(key=lambda item: -dearest[item.path])


@pytest.fixture(scope="session")
def all_combinations(request: pytest.FixtureRequest) -> bool:
    """Whether a matrix is tried whole (`--all`), or one caller of each class with one id a route."""
    return bool(request.config.option.all)


def rank(cost: str) -> int:
    return list(COSTS).index(cost)


def marker_of(item: pytest.Item) -> str:
    return next(mark.name for mark in item.iter_markers() if mark.name in COSTS)


def cost_of(item: pytest.Function) -> str:
    """Return the dearest of what a test uses."""
    if item.get_closest_marker("server"):
        return "stack"
    used = {FIXTURES[name] for name in item.fixturenames if name in FIXTURES}
    if item.get_closest_marker("django_db"):
        used.add("db")
    if not used and STORES & set(item.fixturenames):
        used.add("engine")
    functions = [item.function]
    for definitions in item._fixtureinfo.name2fixturedefs.values():
        functions += [definitions[-1].func]
    for function in functions:
        used |= costs_reached(inspect.unwrap(function))
    return max(used, key=rank, default="unit")


@cache
def costs_reached(function: Any) -> frozenset[str]:
    """Return the costs of what a function names, directly or through test code."""
    found, seen, waiting = set(), set(), [function]
    while waiting:
        each = waiting.pop()
        if id(each) in seen or getattr(each, "__module__", "") in PLUMBING:
            continue
        seen.add(id(each))
        for value, label in named_by(each):
            if label in STARTERS:
                found.add(STARTERS[label])
            if is_test_code(label[0]) and isinstance(value, FunctionType | type):
                waiting.append(value)
            elif isinstance(value, str) and value in FIXTURES:
                found.add(FIXTURES[value])
    return frozenset(found)


def is_test_code(module: str) -> bool:
    return module.startswith("tests.") or ".tests." in module


def named_by(thing: Any) -> Iterator[tuple[Any, tuple[str, str]]]:
    """Yield the objects that the code of a function or class names, each with its module and name."""
    if isinstance(thing, type):
        for value in (*thing.__bases__, *vars(thing).values()):
            value = inspect.unwrap(getattr(value, "fget", None) or getattr(value, "__func__", value))
            if isinstance(value, FunctionType | type):
                yield value, (value.__module__, value.__qualname__)
                if isinstance(value, FunctionType):
                    yield from named_by(value)
        return
    if not isinstance(thing, FunctionType):
        return
    for code in codes_of(thing.__code__):
        if "getfixturevalue" in code.co_names:
            yield from ((value, ("", "")) for value in code.co_consts)
        for name in code.co_names:
            value = thing.__globals__.get(name)
            if isinstance(value, ModuleType):
                for attribute in code.co_names:
                    inner = getattr(value, attribute, None)
                    yield inner, (value.__name__, attribute)
            elif callable(value):
                value = inspect.unwrap(value)
                yield value, (getattr(value, "__module__", "") or "", getattr(value, "__name__", name))


def codes_of(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes_of(constant)
