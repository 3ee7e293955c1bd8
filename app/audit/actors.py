"""The actor of the audit trail, determined at the moment of a change, so that reading costs nothing.

A middleware records each request (API, portal, Django admin), and a command records its name when it starts. Without
either, the actor is the box itself.
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
    """The actor of a change.

    kind: person, key (a program), provider (OIDC), command or system. id: of the user or the key.
    label: an e-mail address or a key's name; blank: looked up by the id. A person without an id has not signed in.
    """

    kind: str
    id: UUID | None = None
    label: str = ""
    address: str = ""


_now: ContextVar[Actor | HttpRequest | None] = ContextVar("actor", default=None)


def actor_now() -> Actor:
    """Return the actor of the running code. May read the session's user from the database."""
    current = _now.get()
    if isinstance(current, Actor):
        return current
    return Actor(SYSTEM, label="Refdesk") if current is None else _request_actor(current)


# Look-ups of labels by kind of actor, registered by the app that has the rows: the trail imports no other app.
_labels: dict[str, Callable[[UUID], str | None]] = {}
_present_labels: dict[str, Callable[[UUID, UUID | None], str | None]] = {}


def actor_labels_register(
    kind: str, lookup: Callable[[UUID], str | None], present: Callable[[UUID, UUID | None], str | None]
) -> None:
    """Register how the label of an actor of this kind is looked up by id.

    present: the label of one that is still in an organisation (None: on the box), for entries whose details are erased.
    """
    _labels[kind] = lookup
    _present_labels[kind] = present


def present_label(kind: str, id: UUID | None, organisation: UUID | None) -> str:
    """Return the label of somebody who is still in an organisation, or ""."""
    lookup = _present_labels.get(kind)
    return (lookup(id, organisation) if lookup and id else None) or ""


def actor_labelled(actor: Actor) -> Actor:
    """Return the actor with its label, looked up by id where it has none."""
    if actor.label or actor.id is None:
        return actor
    lookup = _labels.get(actor.kind)
    return Actor(actor.kind, actor.id, (lookup(actor.id) if lookup else None) or "", actor.address)


def _request_actor(request: HttpRequest) -> Actor:
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
    """Set the actor of this thread or task from now on, at a program's start."""
    _now.set(actor)


@contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    token = _now.set(actor)
    try:
        yield
    finally:
        _now.reset(token)


def command_actor(arguments: list[str]) -> Actor:
    """Return the actor of a command line: the login of this machine, and the command's name without its arguments."""
    try:
        person = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in many containers
        person = "unknown"
    return Actor(COMMAND, label=f"{person}: {arguments[1] if len(arguments) > 1 else 'help'}"[:200])


def _begin(request: HttpRequest) -> None:
    _now.set(request)


def _finish(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    # A stream continues in a task of its own, which keeps its actor.
    if not response.streaming and _now.get() is request:
        _now.set(None)
    return response


ActorMiddleware = middleware(_finish, begin=_begin)
