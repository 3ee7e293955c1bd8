"""The operations of the API as the router has them, and requests with the ids of a tenant in every position."""

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
from tests.factories import Tenant

# Long enough for a stream to say what it has; streams that follow changes never end by themselves.
STREAM_S = 0.25

Value = Callable[[Tenant], Any]
# Values for a path, a query or a body field of this name: ids of the tenant wherever a name can carry one.
# A new name is added here once: an id of the tenant, or a harmless value that the route accepts.
VALUES: dict[str, Value] = {
    "document_id": lambda tenant: str(tenant.document.pk),
    "source_id": lambda tenant: str(tenant.source.pk),
    "run_id": lambda tenant: str(tenant.run.pk),
    "external_id": lambda tenant: tenant.document.external_id,
    "conversation_id": lambda tenant: str(tenant.conversation.pk),
    "message_id": lambda tenant: str(tenant.answer.pk),
    "api_key_id": lambda tenant: str(tenant.api_key.pk),
    "chunk_id": lambda tenant: str(tenant.chunk.pk),
    "export_id": lambda tenant: str(tenant.export.pk),
    "erasure_id": lambda tenant: str(tenant.erasure.pk),
    "endpoint_id": lambda tenant: str(tenant.endpoint.pk),
    "person": lambda tenant: tenant.conversation.user.email,
    "slug": lambda tenant: tenant.bot.slug,
    "colour": lambda tenant: "aa3300",
    "bot": lambda tenant: tenant.bot.slug,
    "bots": lambda tenant: [tenant.bot.slug],
    "conversation": lambda tenant: str(tenant.conversation.pk),
    "source": lambda tenant: str(tenant.source.pk),
    "sources": lambda tenant: [str(tenant.source.pk)],
    "document": lambda tenant: str(tenant.document.pk),
    "documents": lambda tenant: [str(tenant.document.pk)],
    "parent": lambda tenant: str(tenant.document.pk),
    "around": lambda tenant: str(tenant.chunk.pk),
    "revision": lambda tenant: 1,
    "number": lambda tenant: 1,
    "n": lambda tenant: 1,
    "state": lambda tenant: "",
    "action": lambda tenant: "",
    "actor": lambda tenant: "",
    "target": lambda tenant: str(tenant.bot.pk),
    "to": lambda tenant: "",
    "by": lambda tenant: "user",
    "format": lambda tenant: "json",
    # A part of the word: the whole one is in a response only if it comes from a row.
    "q": lambda tenant: tenant.word[:6],
    "query": lambda tenant: f"{tenant.word[:6]} text",
    "message": lambda tenant: f"{tenant.word[:6]}?",
    "limit": lambda tenant: 10,
    "cursor": lambda tenant: "",
    "from": lambda tenant: 0,
    "after": lambda tenant: 0,
    "stream": lambda tenant: True,
    "name": lambda tenant: "a new name",
    "title": lambda tenant: "a new title",
    "text": lambda tenant: "new words",
    "media_type": lambda tenant: "text/plain",
    "url": lambda tenant: "https://example.org/",
    "metadata": lambda tenant: {"about": "words"},
    "schedule": lambda tenant: {"preset": "off"},
    "outcome": lambda tenant: "",
    "version": lambda tenant: 1,
    "settings": lambda tenant: {"temperature": 0.5},
    "rating": lambda tenant: 1,
    "comment": lambda tenant: "words",
    "role": lambda tenant: "viewer",
    "scopes": lambda tenant: ["chat"],
    "plan": lambda tenant: None,
    "expires": lambda tenant: None,
    "overlap_days": lambda tenant: 1,
    "idempotency_key": lambda tenant: "",
    "organisation": lambda tenant: "",
    "api_key": lambda tenant: "sk-of-a-test",
    "models": lambda tenant: [{"name": "a model", "context": 4096}],
    "defaults": lambda tenant: {"model": "a model"},
    "is_default": lambda tenant: False,
    "confirm": lambda tenant: "",
}
# Names in queries and bodies that point at rows.
ID_NAMES = {"bot", "bots", "conversation", "source", "sources", "document", "documents", "around"}
# The settings of a bot are fields of its calls; their defaults carry no id.
VALUES |= {
    name: lambda tenant, info=info: info.get_default(call_default_factory=True)  # type: ignore[misc]
    for name, info in BotSettings.model_fields.items()
}
# Where a name means something else on one route.
ROUTE_VALUES: dict[tuple[str, str], Value] = {
    # A new bot gets a slug of its own; that of another organisation would be free.
    ("POST /api/v1/bots", "slug"): lambda tenant: "a-new-bot",
    # Exactly one of four: whoever the conversation belongs to.
    ("POST /api/v1/erasures", "person"): lambda tenant: None,
    ("POST /api/v1/sources", "kind"): lambda tenant: "push",
    ("POST /api/v1/sources", "settings"): lambda tenant: {},
    ("PATCH /api/v1/sources/{source_id}", "settings"): lambda tenant: {},
    ("POST /api/v1/endpoints", "kind"): lambda tenant: "vllm",
    ("PATCH /api/v1/endpoints/{endpoint_id}", "kind"): lambda tenant: "vllm",
    # A numeric address needs no name service.
    ("POST /api/v1/endpoints", "url"): lambda tenant: "https://93.184.215.14/v1",
    ("PATCH /api/v1/endpoints/{endpoint_id}", "url"): lambda tenant: "https://93.184.215.14/v1",
    ("GET /api/v1/usage", "from"): lambda tenant: "2026-01-01",
    ("GET /api/v1/audit", "from"): lambda tenant: "2026-01-01",
    ("GET /api/v1/usage", "to"): lambda tenant: "2026-12-31",
}


@dataclass(frozen=True)
class Route:
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
        """Return the media type and the properties of the body, or None."""
        content = self.schema.get("requestBody", {}).get("content", {})
        for media_type, described in content.items():
            return media_type, _resolved(described["schema"]).get("properties", {})
        return None


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return DESCRIPTION["components"]["schemas"][schema["$ref"].rpartition("/")[2]]  # type: ignore[no-any-return]
    return schema


DESCRIPTION: dict[str, Any] = json.loads(json.dumps(api.get_openapi_schema(), default=str))


def routes() -> list[Route]:
    """Return every operation of the router.

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
                    found.append(Route(method, whole, policies[0] if policies else None, described))
    return found


def value_of(route: Route, name: str, tenant: Tenant) -> Any:
    value = ROUTE_VALUES.get((route.name, name)) or VALUES.get(name)
    assert value is not None, (
        f"{route.name} takes {name!r}, which the isolation tests do not know. Add it to VALUES in {__file__}: an id of "
        "the tenant if it can carry one, so that it is tried with another organisation's, or a harmless value."
    )
    return value(tenant)


@dataclass(frozen=True)
class RequestSpec:
    """A request with a tenant's ids in every position; sent: the ids and names in it, which a response may repeat."""

    path: str
    data: bytes
    content_type: str
    sent: tuple[str, ...]


def requests_for(route: Route, tenant: Tenant) -> list[RequestSpec]:
    """Return a request with every id, and one with each optional id alone: the first refused one hides the others."""
    optional = [name for name in route.names("query") if name in ID_NAMES]
    described = route.body()
    if described is not None:
        optional += [name for name in described[1] if name in ID_NAMES]
    return [
        request_for(route, tenant),
        *(request_for(route, tenant, without=set(optional) - {name}) for name in optional),
    ]


def request_for(route: Route, tenant: Tenant, *, without: Collection[str] = ()) -> RequestSpec:
    path, sent = route.path, []
    for name in route.path_names:
        value = str(value_of(route, name, tenant))
        path, sent = path.replace(f"{{{name}}}", value), [*sent, value]
    query = {name: value_of(route, name, tenant) for name in route.names("query")}
    query = {name: value for name, value in query.items() if value != "" and name not in without}
    sent += [str(value) for value in query.values()]
    described = route.body()
    data, content_type = b"", "application/json"
    if described is not None:
        fields = {name: value_of(route, name, tenant) for name in described[1] if name not in {"file", *without}}
        sent += [text for text in re.findall(r"[^\"\[\]{}:,]+", json.dumps(fields)) if text.strip()]
        if described[0].startswith("multipart/"):
            files = {"file": upload_file(tenant)} if "file" in described[1] else {}
            data, content_type = encode_multipart(BOUNDARY, {**fields, **files}), MULTIPART_CONTENT
        else:
            data = json.dumps(fields).encode()
    address = path + (f"?{urlencode(query, doseq=True)}" if query else "")
    repeated = {text.strip() for text in sent if tenant.word in text or _ID.search(text)}
    return RequestSpec(address, data, content_type, tuple(sorted(repeated, key=len, reverse=True)))


_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


def upload_file(tenant: Tenant) -> Any:
    return SimpleUploadedFile("new.txt", f"new words about {tenant.source.pk}".encode())


# Headers that differ from response to response.
VARIABLE_HEADERS = {"date", "x-request-id", "set-cookie"}


@dataclass(frozen=True)
class Response:
    """text: the body without what was sent. headers: as lines, without what was sent and the variable ones."""

    status: int
    text: str
    headers: str = ""

    @property
    def comparable(self) -> str:
        """Return the body without the id of the request, which each error has of its own."""
        return re.sub(r'"request_id":"[^"]*"', "", self.text)


class Caller:
    """A client of the API: with a browser's session, with headers, or with neither."""

    def __init__(self, name: str, *, session: Client | None = None, headers: dict[str, str] | None = None) -> None:
        self.name = name
        self.headers = headers or {}
        self._client = AsyncClient()
        if session is not None:
            self._client.cookies = session.cookies

    async def request(self, route: Route, tenant: Tenant) -> Response:
        """Send a request with every id and return the response."""
        return await self.send(route.method, request_for(route, tenant))

    async def send(self, method: str, request: RequestSpec) -> Response:
        """Return the response without what was sent. A stream is read for STREAM_S."""
        response = await self._client.generic(
            method, request.path, request.data, content_type=request.content_type, headers=self.headers
        )
        body = await _body(response)
        lines = [f"{name}: {value}" for name, value in response.items() if name.lower() not in VARIABLE_HEADERS]
        text, headers = body.decode("utf-8", "replace"), "\n".join(lines)
        for value in request.sent:
            text, headers = text.replace(value, ""), headers.replace(value, "")
        return Response(response.status_code, text, headers)


async def _body(response: Any) -> bytes:
    if not response.streaming:
        return bytes(response.content)
    read = bytearray()
    try:
        async with asyncio.timeout(STREAM_S):
            async for part in response.streaming_content:
                read += part
    except TimeoutError:
        pass
    finally:
        await asyncio.to_thread(response.close)
    return bytes(read)
