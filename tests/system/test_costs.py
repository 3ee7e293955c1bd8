"""Promises of the test run's plugins: a marker for each test, budgets, units of work, a clean database."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.accounts.models import Organisation
from app.embedded.postgres import Postgres
from app.plans.models import Plan
from tests.box.real_box import WholeBox
from tests.cost import COSTS, costs_reached
from tests.database import CleanDatabase
from tests.distribution import ROOT, unit_of
from tests.slow_tests import SLOW_TESTS, SLOW_TESTS_AT_MOST


def test_every_test_has_exactly_one_marker_of_its_cost(request: pytest.FixtureRequest) -> None:
    wrong = {}
    for item in request.session.items:
        costs = [mark.name for mark in item.iter_markers() if mark.name in COSTS]
        if len(costs) != 1:
            wrong[item.nodeid] = costs
    assert wrong == {}


class Starter:
    """Starts a program, a call deeper."""

    def __init__(self) -> None:
        run_something()


def run_something() -> None:
    subprocess.run(["true"], check=True)


def computes() -> int:
    return len("text")


def starts_a_program() -> None:
    Starter()


def starts_postgres() -> None:
    Postgres(Path("x"))


def starts_a_box() -> None:
    WholeBox(Path("x"))


def asks_for_an_engine(request: pytest.FixtureRequest) -> None:
    request.getfixturevalue("qdrant")


# Given by name: a test that imported these functions would reach all of that itself.
REACHED = {
    "computes": set(),
    "starts_a_program": {"engine"},
    "starts_postgres": {"engine"},
    "starts_a_box": {"box", "engine"},
    "asks_for_an_engine": {"engine"},
}


def test_the_cost_of_a_test_is_found_in_what_it_names() -> None:
    assert {name: costs_reached(globals()[name]) for name in REACHED} == REACHED


def test_slow_tests_exist_have_a_reason_and_become_fewer() -> None:
    assert len(SLOW_TESTS) <= SLOW_TESTS_AT_MOST
    for nodeid, (_, reason) in SLOW_TESTS.items():
        path, _, name = nodeid.partition("::")
        assert f"def {name}(" in (ROOT / path).read_text("utf-8"), nodeid
        assert len(reason) > 10, nodeid


EXAMPLE = """
import time
import pytest

def burn(seconds):
    began = time.process_time()
    while time.process_time() - began < seconds:
        pass

@pytest.fixture(scope="module")
def shared():
    burn(1.5)
    yield
    burn(1.5)

def test_first(shared):
    pass

def test_slow():
    burn(6)

def test_rather_slow():
    burn(0.9)

def test_last(shared):
    pass
"""


def test_a_test_far_above_its_budget_fails_the_run_and_shared_fixtures_are_nobody_s(tmp_path: Path) -> None:
    (tmp_path / "test_example.py").write_text(EXAMPLE)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    plugins = [part for name in ("tests.cost", "tests.budget", "no:django") for part in ("-p", name)]
    command = [sys.executable, "-m", "pytest", *plugins, "-q", "-n", "2", "test_example.py"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, "4 passed" in done.stdout) == (1, True), done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if "OVER BUDGET: " in line.upper()]
    names = [line.partition(": test_example.py::")[::2] for line in lines]
    assert [(verdict, rest.split()[0]) for verdict, rest in names] == [
        ("FAR OVER BUDGET", "test_slow"),
        ("over budget", "test_rather_slow"),
    ], done.stdout


def test_files_that_share_a_model_server_are_one_unit_of_work() -> None:
    shared = {path for path in ROOT.rglob("test_*.py") if "real_servers import" in path.read_text("utf-8")}
    units = {unit_of(path.relative_to(ROOT).as_posix()) for path in shared - {Path(__file__)}}
    assert units == {"real model servers"}
    assert unit_of("tests/system/test_docs.py") == "tests/system/test_docs.py"


def test_a_test_that_commits_leaves_the_next_one_the_database_of_the_migrations(
    clean_database: CleanDatabase, django_db_blocker: Any
) -> None:
    with django_db_blocker.unblock():
        clean_database.restore()
        plans = sorted(Plan.objects.values_list())
        organisation = Organisation.objects.create(slug="committed", name="Committed")
        Plan.objects.filter(name="free").delete()
        Plan.objects.filter(name="standard").update(requests_per_minute=1)
        clean_database.restore()
        assert not Organisation.objects.filter(pk=organisation.pk).exists()
        assert sorted(Plan.objects.values_list()) == plans
