"""Unfold's decorators of an admin page's actions and computed columns, typed."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar

from unfold import decorators

Method = TypeVar("Method", bound=Callable[..., Any])


def action(*, description: str, permissions: Sequence[str] = ()) -> Callable[[Method], Method]:
    """Mark a method as an entry of the list's actions."""
    decorator: Callable[[Method], Method] = decorators.action(description=description, permissions=permissions or None)
    return decorator


def display(*, description: str, ordering: str = "", label: dict[str, str] | None = None) -> Callable[[Method], Method]:
    """Mark a method as a computed column; `label` gives values colours, and a capital.

    An empty text is shown like every other empty cell.
    """
    colours = {_capitalise(value): colour for value, colour in label.items()} if label else None

    def decorate(method: Method) -> Method:
        @wraps(method)
        def column(*args: Any) -> Any:
            value = method(*args)
            return None if value == "" else _capitalise(value) if label and isinstance(value, str) else value

        decorated: Method = decorators.display(description=description, ordering=ordering or None, label=colours)(
            column
        )
        return decorated

    return decorate


def _capitalise(text: str) -> str:
    return text[:1].upper() + text[1:]
