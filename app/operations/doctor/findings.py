"""Findings of the doctor: one line for each check. Standard library only, for a machine without packages."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """A result of a check. todo: the advice; empty when there is no fault."""

    name: str
    state: State
    text: str
    todo: str = ""


def ok(name: str, text: str) -> Finding:
    return Finding(name, State.OK, text)


def warning(name: str, text: str, todo: str) -> Finding:
    return Finding(name, State.WARNING, text, todo)


def problem(name: str, text: str, todo: str) -> Finding:
    return Finding(name, State.PROBLEM, text, todo)


Check = Callable[[], Iterable[Finding]]


def found(name: str, check: Check) -> Iterator[Finding]:
    """Run a check and yield its findings; a check that raises is a finding too, and the others still run."""
    try:
        yield from check()
    except Exception as error:
        # The error's text may contain an address with a password.
        yield problem(name, f"could not be looked at: {type(error).__name__}", "Please report this as a bug.")
