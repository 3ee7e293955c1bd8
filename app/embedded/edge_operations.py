"""The operations of Qdrant's REST API that the embedded server has, in one table that its contract tests iterate."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from app.embedded import edge_requests as requests
from app.embedded.edge_requests import Json, Refusal
from app.embedded.edge_store import Store


@dataclass(slots=True)
class Call:
    """A request to an operation. `name`: the collection's name, "" for a path without one."""

    store: Store
    name: str
    body: Json
    wait: bool


Operation = Callable[[Call], Any]


def list_collections(call: Call) -> Json:
    return {"collections": [{"name": name} for name in call.store.collections]}


def get_collection(call: Call) -> Json:
    return call.store.named(call.name).info()


def create_collection(call: Call) -> bool:
    return call.store.create(call.name, call.body)


def delete_collection(call: Call) -> bool:
    return call.store.delete(call.name)


def collection_exists(call: Call) -> Json:
    return {"exists": call.name in call.store.collections or call.name in call.store.aliases}


def create_index(call: Call) -> Json:
    collection = call.store.named(call.name)
    field, schema, operation = requests.keyword_index(call.body)
    result = collection.update(operation, wait=call.wait)
    collection.indexes[field] = schema
    call.store.save()
    return result


def upsert_points(call: Call) -> Json:
    return call.store.named(call.name).update(requests.upsert(call.body), wait=call.wait)


def delete_points(call: Call) -> Json:
    return call.store.named(call.name).update(requests.delete(call.body), wait=call.wait)


def retrieve_points(call: Call) -> list[Any]:
    ids: list[Any] = [requests.point_id(raw) for raw in call.body["ids"]]
    return call.store.named(call.name).shard.retrieve(ids, **requests.fields_of(call.body, payload=True))


def scroll_points(call: Call) -> Json:
    points, following = call.store.named(call.name).shard.scroll(requests.scroll_of(call.body))
    return {"points": points, "next_page_offset": following}


def count_points(call: Call) -> Json:
    return {"count": call.store.named(call.name).shard.count(requests.count_of(call.body))}


def query_points(call: Call) -> Json:
    return {"points": call.store.named(call.name).shard.query(requests.query_of(call.body))}


def query_batch(call: Call) -> list[Json]:
    """Run the searches one after the other: `shard.query_batch` is no faster."""
    shard = call.store.named(call.name).shard
    return [{"points": shard.query(requests.query_of(search))} for search in call.body["searches"]]


def list_aliases(call: Call) -> Json:
    pairs = call.store.aliases.items()
    return {"aliases": [{"alias_name": alias, "collection_name": target} for alias, target in pairs]}


def change_aliases(call: Call) -> bool:
    return call.store.aliases_change(call.body["actions"])


OPERATIONS: dict[tuple[str, str], Operation] = {
    ("GET", "/collections"): list_collections,
    ("POST", "/collections/aliases"): change_aliases,
    ("GET", "/aliases"): list_aliases,
    ("GET", "/collections/{name}"): get_collection,
    ("PUT", "/collections/{name}"): create_collection,
    ("DELETE", "/collections/{name}"): delete_collection,
    ("GET", "/collections/{name}/exists"): collection_exists,
    ("PUT", "/collections/{name}/index"): create_index,
    ("PUT", "/collections/{name}/points"): upsert_points,
    ("POST", "/collections/{name}/points"): retrieve_points,
    ("POST", "/collections/{name}/points/delete"): delete_points,
    ("POST", "/collections/{name}/points/scroll"): scroll_points,
    ("POST", "/collections/{name}/points/count"): count_points,
    ("POST", "/collections/{name}/points/query"): query_points,
    ("POST", "/collections/{name}/points/query/batch"): query_batch,
}


def operation_of(method: str, path: str) -> tuple[Operation, str]:
    """Return the operation of a request and its collection's name. `path` is raw, so %2F stays in a name."""
    first, *rest = path.strip("/").split("/")
    operation = OPERATIONS.get((method, f"/{'/'.join([first, *rest])}"))
    name = ""
    if operation is None and first == "collections" and rest and rest[0]:
        name = unquote(rest[0])
        operation = OPERATIONS.get((method, f"/{'/'.join(['collections', '{name}', *rest[1:]])}"))
    if operation is None:
        raise Refusal(404, f"{method} {path} is not in the embedded Qdrant")
    return operation, name
