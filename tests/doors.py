"""Every operation of the API as the router has it, and how to knock at it with ids of a world in every position."""

import asyncio
import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import AsyncClient, Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from app.accounts.auth import policy
from app.api import api
from app.bots.settings import BotSettings
from tests.world import World

# Long enough for a stream to say what it has; streams that follow changes never end by themselves.
STREAM_S = 0.25

Value = Callable[[World], Any]
# What to send where a path, a query or a body has this name: ids of the world wherever a name can carry one.
# A new name is added here once: an id of the world, or a harmless value that the route accepts.
VALUES: dict[str, Value] = {
    "document_id": lambda world: str(world.document.pk),
    "source_id": lambda world: str(world.source.pk),
    "conversation_id": lambda world: str(world.conversation.pk),
    "message_id": lambda world: str(world.answer.pk),
    "api_key_id": lambda world: str(world.api_key.pk),
    "chunk_id": lambda world: str(world.chunk.pk),
    "export_id": lambda world: str(world.export.pk),
    "erasure_id": lambda world: str(world.erasure.pk),
    "endpoint_id": lambda world: str(world.endpoint.pk),
    "person": lambda world: world.conversation.user.email,
    "slug": lambda world: world.bot.slug,
    "colour": lambda world: "aa3300",
    "bot": lambda world: world.bot.slug,
    "bots": lambda world: [world.bot.slug],
    "conversation": lambda world: str(world.conversation.pk),
    "source": lambda world: str(world.source.pk),
    "sources": lambda world: [str(world.source.pk)],
    "document": lambda world: str(world.document.pk),
    "documents": lambda world: [str(world.document.pk)],
    "around": lambda world: str(world.chunk.pk),
    "revision": lambda world: 1,
    "number": lambda world: 1,
    "n": lambda world: 1,
    "state": lambda world: "",
    "action": lambda world: "",
    "actor": lambda world: "",
    "target": lambda world: str(world.bot.pk),
    "to": lambda world: "",
    "by": lambda world: "user",
    "format": lambda world: "json",
    # Only a part of the word: what an answer holds of the whole one has not been sent.
    "q": lambda world: world.word[:6],
    "query": lambda world: f"{world.word[:6]} text",
    "message": lambda world: f"{world.word[:6]}?",
    "limit": lambda world: 10,
    "cursor": lambda world: "",
    "from": lambda world: 0,
    "after": lambda world: 0,
    "stream": lambda world: True,
    "name": lambda world: "a new name",
    "title": lambda world: "a new title",
    "settings": lambda world: {"temperature": 0.5},
    "rating": lambda world: 1,
    "comment": lambda world: "words",
    "role": lambda world: "viewer",
    "scopes": lambda world: ["chat"],
    "plan": lambda world: None,
    "expires": lambda world: None,
    "overlap_days": lambda world: 1,
    "idempotency_key": lambda world: "",
    "organisation": lambda world: "",
    "api_key": lambda world: "sk-of-a-test",
    "models": lambda world: [{"name": "a model", "context": 4096}],
    "defaults": lambda world: {"model": "a model"},
    "is_default": lambda world: False,
    "confirm": lambda world: "",
}
# Names in queries and bodies that point at rows.
ID_NAMES = {"bot", "bots", "conversation", "source", "sources", "document", "documents", "around"}
# The settings of a bot are fields of its calls; their defaults carry no id.
VALUES |= {
    name: lambda world, info=info: info.get_default(call_default_factory=True)  # type: ignore[misc]
    for name, info in BotSettings.model_fields.items()
}
# Where a name means something else on one route.
ROUTE_VALUES: dict[tuple[str, str], Value] = {
    # A new bot gets a slug of its own; that of another organisation would be free.
    ("POST /api/v1/bots", "slug"): lambda world: "a-new-bot",
    # Exactly one of four: whoever the conversation belongs to.
    ("POST /api/v1/erasures", "person"): lambda world: "",
    ("POST /api/v1/endpoints", "kind"): lambda world: "vllm",
    ("PATCH /api/v1/endpoints/{endpoint_id}", "kind"): lambda world: "vllm",
    # By number: nobody is asked where it is.
    ("POST /api/v1/endpoints", "url"): lambda world: "https://93.184.215.14/v1",
    ("PATCH /api/v1/endpoints/{endpoint_id}", "url"): lambda world: "https://93.184.215.14/v1",
    ("GET /api/v1/usage", "from"): lambda world: "2026-01-01",
    ("GET /api/v1/audit", "from"): lambda world: "2026-01-01",
    ("GET /api/v1/usage", "to"): lambda world: "2026-12-31",
}


@dataclass(frozen=True)
class Door:
    """One operation: method, address with names in braces, and its policy (None: open to everybody)."""

    method: str
    path: str
    policy: policy | None
    schema: dict[str, Any] = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def path_names(self) -> list[str]:
        return re.findall(r"\{(\w+)\}", self.path)

    @property
    def writes(self) -> bool:
        return self.method not in ("GET", "HEAD")

    def names(self, place: str) -> list[str]:
        return [each["name"] for each in self.schema.get("parameters", []) if each["in"] == place]

    def body(self) -> tuple[str, dict[str, Any]] | None:
        """Media type and properties of the body."""
        content = self.schema.get("requestBody", {}).get("content", {})
        for media_type, described in content.items():
            return media_type, _resolved(described["schema"]).get("properties", {})
        return None


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return DESCRIPTION["components"]["schemas"][schema["$ref"].rpartition("/")[2]]  # type: ignore[no-any-return]
    return schema


DESCRIPTION: dict[str, Any] = json.loads(json.dumps(api.get_openapi_schema(), default=str))


def doors() -> list[Door]:
    """Every operation that the router knows.

    Raises:
        AssertionError: one is hidden from the description, so that its parameters cannot be known.
    """
    found = []
    for router in api._get_bound_routers():
        for path, view in router.path_operations.items():
            whole = "/" + "/".join(part.strip("/") for part in ("api/v1", router.prefix, path) if part.strip("/"))
            whole = re.sub(r"\{\w+:(\w+)\}", r"{\1}", whole)
            for operation in view.operations:
                policies = [each for each in operation.auth_callbacks if isinstance(each, policy)]
                for method in operation.methods:
                    described = DESCRIPTION["paths"].get(whole, {}).get(method.lower())
                    assert described is not None, f"{method} {whole} is not in the description of the API"
                    found.append(Door(method, whole, policies[0] if policies else None, described))
    return found


def value_of(door: Door, name: str, world: World) -> Any:
    value = ROUTE_VALUES.get((door.name, name)) or VALUES.get(name)
    assert value is not None, (
        f"{door.name} takes {name!r}, which the isolation tests do not know. Add it to VALUES in {__file__}: an id of "
        "the world if it can carry one, so that it is tried with another organisation's, or a harmless value."
    )
    return value(world)


@dataclass(frozen=True)
class Knock:
    """A request with a world's ids in every position, and the ids and names in it, which an answer may repeat."""

    path: str
    data: bytes
    content_type: str
    sent: tuple[str, ...]


def knocks_at(door: Door, world: World) -> list[Knock]:
    """With every id at once, and with each optional one alone: the first that is refused would hide the others."""
    optional = [name for name in door.names("query") if name in ID_NAMES]
    described = door.body()
    if described is not None:
        optional += [name for name in described[1] if name in ID_NAMES]
    return [knock_at(door, world), *(knock_at(door, world, without=set(optional) - {name}) for name in optional)]


def knock_at(door: Door, world: World, *, without: Collection[str] = ()) -> Knock:
    path, sent = door.path, []
    for name in door.path_names:
        value = str(value_of(door, name, world))
        path, sent = path.replace(f"{{{name}}}", value), [*sent, value]
    query = {name: value_of(door, name, world) for name in door.names("query")}
    query = {name: value for name, value in query.items() if value != "" and name not in without}
    sent += [str(value) for value in query.values()]
    described = door.body()
    data, content_type = b"", "application/json"
    if described is not None:
        fields = {name: value_of(door, name, world) for name in described[1] if name not in {"file", *without}}
        sent += [text for text in re.findall(r"[^\"\[\]{}:,]+", json.dumps(fields)) if text.strip()]
        if described[0].startswith("multipart/"):
            files = {"file": upload_file(world)} if "file" in described[1] else {}
            data, content_type = encode_multipart(BOUNDARY, {**fields, **files}), MULTIPART_CONTENT
        else:
            data = json.dumps(fields).encode()
    address = path + (f"?{urlencode(query, doseq=True)}" if query else "")
    told = {text.strip() for text in sent if world.word in text or _ID.search(text)}
    return Knock(address, data, content_type, tuple(sorted(told, key=len, reverse=True)))


_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


def upload_file(world: World) -> Any:
    return SimpleUploadedFile("new.txt", f"new words about {world.source.pk}".encode())


# Headers that differ from answer to answer.
FLEETING_HEADERS = {"date", "x-request-id", "set-cookie"}


@dataclass(frozen=True)
class Answer:
    """text: the body without what was sent. headers: as lines, without what was sent and what is fleeting."""

    status: int
    text: str
    headers: str = ""

    @property
    def lasting(self) -> str:
        """The body without what makes each error its own."""
        return re.sub(r'"request_id":"[^"]*"', "", self.text)


class Visitor:
    """Knocks as somebody: with a browser's session, with headers, or with neither."""

    def __init__(self, name: str, *, session: Client | None = None, headers: dict[str, str] | None = None) -> None:
        self.name = name
        self.headers = headers or {}
        self._client = AsyncClient()
        if session is not None:
            self._client.cookies = session.cookies

    async def knock(self, door: Door, world: World) -> Answer:
        """The answer to a request with every id."""
        return await self.send(door.method, knock_at(door, world))

    async def send(self, method: str, knock: Knock) -> Answer:
        """The answer, without what was sent. Streams are read for a moment."""
        answer = await self._client.generic(
            method, knock.path, knock.data, content_type=knock.content_type, headers=self.headers
        )
        body = await _body(answer)
        lines = [f"{name}: {value}" for name, value in answer.items() if name.lower() not in FLEETING_HEADERS]
        text, headers = body.decode("utf-8", "replace"), "\n".join(lines)
        for one in knock.sent:
            text, headers = text.replace(one, ""), headers.replace(one, "")
        return Answer(answer.status_code, text, headers)


async def _body(answer: Any) -> bytes:
    if not answer.streaming:
        return bytes(answer.content)
    read = bytearray()
    try:
        async with asyncio.timeout(STREAM_S):
            async for part in answer.streaming_content:
                read += part
    except TimeoutError:
        pass
    finally:
        await asyncio.to_thread(answer.close)
    return bytes(read)
