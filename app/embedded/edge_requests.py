"""Translate Qdrant's REST bodies into requests to its Edge engine: the part of the API that Refdesk uses.

An invalid body raises `Refusal` with the status that the server gives. Edge holds the interpreter's lock in every
call, so nothing here or in edge_store.py uses threads.
"""

from typing import Any

import qdrant_edge as edge
from qdrant_edge import UpdateOperation as Update

Json = dict[str, Any]


class Refusal(Exception):
    """An error for the client: HTTP status and text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def malformed(text: str) -> Refusal:
    return Refusal(400, f"Format error in JSON body: {text}")


def invalid(text: str) -> Refusal:
    return Refusal(422, f"Validation error in JSON body: [{text}]")


def refusal_of(error: Exception) -> Refusal:
    """Return the error for the client: bare Exceptions come from the engine, all others from a malformed body."""
    text = str(error)
    if isinstance(error, Refusal):
        return error
    if isinstance(error, KeyError):
        return malformed(f"missing field `{error.args[0]}`")
    if type(error) is not Exception:
        return malformed(text)
    return Refusal(500, text) if text.startswith("Service") else Refusal(400, f"Wrong input: {text}")


def point_id(raw: Any) -> int | str:
    if type(raw) is int or type(raw) is str:
        return raw
    raise malformed(f"value {raw} is not a valid point ID, valid values are either an unsigned integer or a UUID")


# Filters: keywords only. In Edge 0.9 `match` on a bool finds nothing, so a bool is refused instead.


def match_of(raw: Json) -> Any:
    for kind, build in (("value", edge.MatchValue), ("any", edge.MatchAny), ("except", edge.MatchExcept)):
        if raw.get(kind) is None:
            continue
        values = raw[kind] if isinstance(raw[kind], list) else [raw[kind]]
        if any(type(value) not in (str, int) for value in values):
            raise malformed("match takes keywords and integers here")
        return build(raw[kind])
    raise malformed("data did not match any variant of untagged enum MatchInterface")


def condition(raw: Json) -> Any:
    if "has_id" in raw:
        return edge.HasIdCondition({point_id(one) for one in raw["has_id"]})
    if "key" in raw and raw.get("match") is not None:
        return edge.FieldCondition(raw["key"], match=match_of(raw["match"]))
    if {"must", "should", "must_not"} & raw.keys():
        return filter_of(raw)
    raise malformed("Expected a condition of kind match, has_id or a nested filter")


def conditions(raw: Any) -> list[Any] | None:
    if raw is None:
        return None
    return [condition(one) for one in (raw if isinstance(raw, list) else [raw])]


def filter_of(raw: Json | None) -> edge.Filter | None:
    """Read a filter. An unknown clause is refused: ignoring it would widen the filter and show hidden points."""
    if raw is None:
        return None
    if unknown := raw.keys() - {"must", "should", "must_not"}:
        raise malformed(f"unknown field `{min(unknown)}`, expected one of `should`, `must`, `must_not`")
    return edge.Filter(
        must=conditions(raw.get("must")),
        should=conditions(raw.get("should")),
        must_not=conditions(raw.get("must_not")),
    )


# Updates


def vector_of(raw: Any) -> Any:
    """Read a vector; a sparse one is checked, because Edge does not."""
    if not isinstance(raw, dict):
        return raw
    indices, values = raw["indices"], raw["values"]
    if len(indices) != len(values):
        raise invalid("values: must be the same length as indices")
    if len(set(indices)) != len(indices):
        raise invalid("indices: must be unique")
    return edge.SparseVector(indices, values)


def point_of(raw: Json) -> edge.Point:
    vectors = raw["vector"]
    if isinstance(vectors, dict):
        vectors = {name: vector_of(vector) for name, vector in vectors.items()}
    return edge.Point(point_id(raw["id"]), vectors, raw.get("payload"))


def upsert(body: Json) -> Update:
    points = [point_of(point) for point in body["points"]]
    if not points:
        raise Refusal(400, "Bad request: Empty update request")
    return Update.upsert_points(points)


def delete(body: Json) -> Update:
    if body.get("points") is not None:
        return Update.delete_points([point_id(one) for one in body["points"]])
    chosen = filter_of(body.get("filter"))
    if chosen is None:
        raise malformed("Either list of point ids or filter must be provided")
    return Update.delete_points_by_filter(chosen)


def keyword_index(body: Json) -> tuple[str, Json, Update]:
    """Read a keyword index: the field, its schema as clients see it, and the update that makes it."""
    schema = body.get("field_schema")
    asked: Json = {"type": schema} if isinstance(schema, str) else dict(schema or {})
    if asked.pop("type", None) != "keyword":
        raise Refusal(501, "only keyword indexes are here")
    shown: Json = {"data_type": "keyword"}
    if asked:
        shown["params"] = {"type": "keyword", **asked}
    return body["field_name"], shown, Update.create_field_index(body["field_name"], edge.KeywordIndexParams(**asked))


# Reads


def limit_of(body: Json) -> int:
    limit = body.get("limit")
    if limit is None:
        return 10
    if type(limit) is not int or limit < 1:
        raise invalid(f"limit: value {limit} invalid, must be 1 or larger")
    return limit


def fields_of(body: Json, *, payload: bool) -> Json:
    fields = body.get("with_payload")
    if isinstance(fields, dict):
        raise Refusal(501, "with_payload takes true, false or a list of fields here")
    return {"with_payload": payload if fields is None else fields, "with_vector": body.get("with_vector") or False}


def ranking(raw: Any, using: str | None) -> Any:
    """Read a ranking: none, distance to a vector, or the fusion of the prefetches."""
    if isinstance(raw, dict) and "nearest" in raw:
        raw = raw["nearest"]
    if raw is None:
        return None
    if isinstance(raw, dict):
        if raw.get("fusion") == "rrf":
            return edge.Fusion.Rrf(2)
        if raw.get("fusion") == "dbsf":
            return edge.Fusion.Dbsf()
        if "rrf" in raw:
            return edge.Fusion.Rrf(raw["rrf"].get("k") or 2, raw["rrf"].get("weights"))
        if "indices" not in raw:
            raise Refusal(501, f"a query by {', '.join(sorted(raw))} is not here")
    elif not isinstance(raw, list):
        raise Refusal(501, "a query by a point's id is not here")
    return edge.Query.Nearest(vector_of(raw), using)


def stage_of(raw: Json) -> Json:
    """Read the arguments that a query has in common with its prefetches."""
    prefetch = raw.get("prefetch") or []
    stages = prefetch if isinstance(prefetch, list) else [prefetch]
    return {
        "query": ranking(raw.get("query"), raw.get("using")),
        "filter": filter_of(raw.get("filter")),
        "prefetches": [edge.Prefetch(**stage_of(stage)) for stage in stages],
        "limit": limit_of(raw),
        "score_threshold": raw.get("score_threshold"),
    }


def query_of(raw: Json) -> edge.QueryRequest:
    return edge.QueryRequest(**stage_of(raw), offset=raw.get("offset"), **fields_of(raw, payload=False))


def scroll_of(body: Json) -> edge.ScrollRequest:
    return edge.ScrollRequest(
        body.get("offset"), limit_of(body), filter_of(body.get("filter")), **fields_of(body, payload=True)
    )


def count_of(body: Json) -> edge.CountRequest:
    return edge.CountRequest(body.get("exact") is not False, filter_of(body.get("filter")))


def encoded(value: Any) -> Json:
    """Encode the engine's sparse vectors, records and scored points, which orjson does not know."""
    if isinstance(value, edge.SparseVector):
        return {"indices": value.indices, "values": value.values}
    shown: Json = {"id": value.id}
    if isinstance(value, edge.ScoredPoint):
        shown |= {"version": value.version, "score": value.score}
    for name in ("payload", "vector"):
        if getattr(value, name) is not None:
            shown[name] = getattr(value, name)
    return shown
