"""Who is acting now, for the audit trail: found at the moment of a change, so that reading costs nothing.

A request is remembered by its middleware, whichever door it came through (API, portal, Django admin); a command names
itself when it starts. Where neither is the case, the box acts by itself.
"""

import getpass
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

from django.http import HttpRequest, HttpResponseBase

from app.lib.asgi.middleware_function import middleware

PERSON, KEY, PROVIDER, COMMAND, SYSTEM = "person", "key", "provider", "command", "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """kind: person, key (a program), provider (OIDC), command or system. id: of the user or the key.

    label: an e-mail address or a key's name; blank: looked up by the id. A person without an id has not signed in.
    """

    kind: str
    id: UUID | None = None
    label: str = ""
    address: str = ""


_now: ContextVar[Actor | HttpRequest | None] = ContextVar("actor", default=None)


def actor_now() -> Actor:
    """The actor of whatever runs now. May read the session's user from the database."""
    found = _now.get()
    if isinstance(found, Actor):
        return found
    return Actor(SYSTEM, label="Refdesk") if found is None else _of_request(found)


# Lookups of names by kind of actor, registered by the app that has the rows: the trail imports no other app.
_labels: dict[str, Callable[[UUID], str | None]] = {}


def actor_labels_register(kind: str, lookup: Callable[[UUID], str | None]) -> None:
    """Register how the label of an actor of this kind is looked up by id."""
    _labels[kind] = lookup


def actor_labelled(actor: Actor) -> Actor:
    """Return the actor with its label, looked up by id where it has none."""
    if actor.label or actor.id is None:
        return actor
    lookup = _labels.get(actor.kind)
    return Actor(actor.kind, actor.id, (lookup(actor.id) if lookup else None) or "", actor.address)


def _of_request(request: HttpRequest) -> Actor:
    address = str(request.META.get("REMOTE_ADDR", ""))
    caller = getattr(request, "caller", None)
    if caller is not None and caller.api_key_id is not None:
        return Actor(KEY, caller.api_key_id, address=address)
    if caller is not None and caller.user_id is not None:
        return Actor(PERSON, caller.user_id, address=address)
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated:
        return Actor(PERSON, user.pk, user.email, address)
    return Actor(PERSON, address=address)


def actor_set(actor: Actor) -> None:
    """From now on, in this thread or task: for a program's start."""
    _now.set(actor)


@contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    token = _now.set(actor)
    try:
        yield
    finally:
        _now.reset(token)


def command_actor(arguments: list[str]) -> Actor:
    """Of a command line: who started it on this machine, and the command's name without its arguments."""
    try:
        person = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in many containers
        person = "unknown"
    return Actor(COMMAND, label=f"{person}: {arguments[1] if len(arguments) > 1 else 'help'}"[:200])


def _begin(request: HttpRequest) -> None:
    _now.set(request)


def _finish(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    # A stream goes on; its task is its own.
    if not response.streaming and _now.get() is request:
        _now.set(None)
    return response


ActorMiddleware = middleware(_finish, begin=_begin)
