"""Collections of Qdrant's Edge engine in a folder: one shard each, listed in collections.json.

An update is in the shard's log before its response is sent, so a killed process loses none.
"""

import os
import shutil
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import qdrant_edge as edge

from app.embedded.edge_requests import Json, Refusal, invalid, malformed

# 0 builds no HNSW graph, which would hold the interpreter's lock: 9 s for 20,000 vectors of 384 dimensions.
OPTIMIZERS = edge.EdgeOptimizersConfig(indexing_threshold=0)
# Returned to clients, which refuse a response without these settings; Edge has none of them.
SHOWN_CONFIG: Json = {
    "params": {"shard_number": 1, "replication_factor": 1, "write_consistency_factor": 1, "on_disk_payload": True},
    "hnsw_config": {"m": 16, "ef_construct": 100, "full_scan_threshold": 10000},
    "optimizer_config": {
        "deleted_threshold": 0.2,
        "vacuum_min_vector_number": 1000,
        "default_segment_number": 0,
        "flush_interval_sec": 5,
    },
    "wal_config": {"wal_capacity_mb": 32, "wal_segments_ahead": 0},
}


DISTANCES = {"Cosine": edge.Distance.Cosine, "Dot": edge.Distance.Dot, "Euclid": edge.Distance.Euclid}
# Turbo16 is the engine's own 16-bit layout: an exact search of 100,000 vectors of 384 numbers takes 5.3 ms of CPU, with
# Float16 9.7 ms, with Float32 14.0 ms; the best ten are those of Float32.
DATATYPES = {"float32": edge.VectorStorageDatatype.Float32, "float16": edge.VectorStorageDatatype.Turbo16}


QUIET_S, LONGEST_UNFLUSHED_S = 5.0, 60.0


class FolderInUse(Exception):
    """Raised when the folder cannot be opened, most often because another process has it open."""


def dense_params(spec: Json) -> edge.EdgeVectorParams:
    if type(spec["size"]) is not int or not 1 <= spec["size"] <= 65536:
        raise invalid(f"vectors.?.size: value {spec['size']} invalid, must be from 1 to 65536")
    if spec["distance"] not in DISTANCES:
        raise malformed(f"unknown variant `{spec['distance']}`")
    kind = spec.get("datatype") or "float32"
    if kind not in DATATYPES:
        raise Refusal(501, f"vectors of {kind} are not here")
    return edge.EdgeVectorParams(spec["size"], DISTANCES[spec["distance"]], datatype=DATATYPES[kind])


def sparse_params(spec: Json | None) -> edge.EdgeSparseVectorParams:
    if (spec or {}).get("modifier") == "idf":
        return edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)
    return edge.EdgeSparseVectorParams()


def engine_config(params: Json) -> edge.EdgeConfig:
    if "size" in params["vectors"]:
        raise Refusal(501, "vectors need names here")
    dense = {name: dense_params(spec) for name, spec in params["vectors"].items()}
    sparse = {name: sparse_params(spec) for name, spec in (params.get("sparse_vectors") or {}).items()}
    return edge.EdgeConfig(dense, sparse, optimizers=OPTIMIZERS)


@dataclass
class Collection:
    """A shard with its settings: `params` as requested; `indexes` maps a field to its schema as clients see it."""

    folder: Path
    params: Json
    indexes: Json
    shard: edge.EdgeShard
    operations: int = 0
    first_unflushed: float | None = None  # time of the monotonic clock
    last_update: float = 0.0

    def update(self, operation: edge.UpdateOperation, *, wait: bool) -> Json:
        self.operations += 1
        self.last_update = time.monotonic()
        self.first_unflushed = self.first_unflushed or self.last_update
        self.shard.update(operation)
        return {"operation_id": self.operations, "status": "completed" if wait else "acknowledged"}

    def flush(self) -> None:
        """Write the log's updates to disk, and rewrite a segment when a fifth of it is deleted.

        It waits for the disk, 0.3 s here, and blocks the whole process: the engine holds the interpreter's lock.
        """
        if self.first_unflushed is not None:
            self.first_unflushed = None
            self.shard.flush()
            self.shard.optimize()

    def flush_is_due(self, now: float) -> bool:
        if self.first_unflushed is None:
            return False
        return now - self.last_update >= QUIET_S or now - self.first_unflushed >= LONGEST_UNFLUSHED_S

    def info(self) -> Json:
        info = self.shard.info()
        counted = {field: index.points for field, index in info.payload_schema.items()}
        return {
            "status": "green",
            "optimizer_status": "ok",
            "points_count": info.points_count,
            "indexed_vectors_count": info.indexed_vectors_count,
            "segments_count": info.segments_count,
            "config": {**SHOWN_CONFIG, "params": {**SHOWN_CONFIG["params"], **self.params}},
            "payload_schema": {
                field: {**schema, "points": counted.get(field, 0)} for field, schema in self.indexes.items()
            },
        }


class Store:
    """The collections of a folder.

    Raises:
        FolderInUse: on opening.
    """

    def __init__(self, folder: Path) -> None:
        self.shards, self.file = folder / "shards", folder / "collections.json"
        self.aliases_file = folder / "aliases.json"
        self.shards.mkdir(parents=True, exist_ok=True)
        saved: Json = orjson.loads(self.file.read_bytes()) if self.file.exists() else {}
        self.collections: dict[str, Collection] = {}
        for name, (shard, params, indexes) in saved.items():
            path = self.shards / shard
            self.collections[name] = Collection(path, params, indexes, self._load(path))
        # A kill between the two files leaves an alias without its collection: it is dropped.
        aliases: dict[str, str] = orjson.loads(self.aliases_file.read_bytes()) if self.aliases_file.exists() else {}
        self.aliases = {alias: target for alias, target in aliases.items() if target in self.collections}
        for path in set(self.shards.iterdir()) - {one.folder for one in self.collections.values()}:
            shutil.rmtree(path)  # left over from a kill while a collection was made or deleted

    @staticmethod
    def _load(path: Path) -> edge.EdgeShard:
        try:
            return edge.EdgeShard.load(str(path))
        except Exception as error:  # the engine has no error classes
            raise FolderInUse(f"The vectors in {path} cannot be opened: {error}") from error

    def save(self) -> None:
        content: dict[str, Any] = {
            name: (one.folder.name, one.params, one.indexes) for name, one in self.collections.items()
        }
        _replace(self.file, content)

    def flush(self) -> None:
        """Flush the collections that are due: after a pause in the updates, else once a minute.

        A kill loses nothing, since the kernel has the log; a power failure may lose unflushed updates, which the
        reconciler restores from PostgreSQL.
        """
        now = time.monotonic()
        for collection in self.collections.values():
            if collection.flush_is_due(now):
                collection.flush()

    def close(self) -> None:
        for collection in self.collections.values():
            collection.flush()
            collection.shard.close()

    def named(self, name: str) -> Collection:
        if found := self.collections.get(self.aliases.get(name, name)):
            return found
        raise Refusal(404, f"Not found: Collection `{name}` doesn't exist!")

    def create(self, name: str, body: Json) -> bool:
        if name in self.collections:
            raise Refusal(409, f"Wrong input: Collection `{name}` already exists!")
        if "/" in name or not 1 <= len(name) <= 255:
            raise Refusal(422, f"Validation error in path parameters: [collection_name: `{name}` is not a valid name]")
        params = {"vectors": body["vectors"], "sparse_vectors": body.get("sparse_vectors") or {}}
        config, folder = engine_config(params), self.shards / uuid.uuid4().hex
        self.collections[name] = Collection(folder, params, {}, edge.EdgeShard.create(str(folder), config))
        self.save()
        return True

    def delete(self, name: str) -> bool:
        gone = self.collections.pop(name, None)
        if gone is None:
            return False
        self.aliases = {alias: target for alias, target in self.aliases.items() if target != name}
        self.save()
        _replace(self.aliases_file, self.aliases)
        gone.shard.close()
        shutil.rmtree(gone.folder)
        return True

    def aliases_change(self, actions: list[Json]) -> bool:
        """Change several aliases: all or none, and no call sees an intermediate state."""
        changed = dict(self.aliases)
        for action in actions:
            [(kind, about)] = action.items()
            if kind == "create_alias":
                if about["collection_name"] not in self.collections:
                    raise Refusal(404, f"Not found: Collection `{about['collection_name']}` doesn't exist!")
                if about["alias_name"] in self.collections:
                    raise Refusal(409, f"Wrong input: Collection `{about['alias_name']}` already exists!")
                changed[about["alias_name"]] = about["collection_name"]
            elif kind == "delete_alias":
                changed.pop(about["alias_name"], None)
            else:
                raise Refusal(501, f"{kind} is not in the embedded Qdrant")
        _replace(self.aliases_file, changed)
        self.aliases = changed
        return True


def _replace(file: Path, content: Any) -> None:
    draft = file.with_suffix(".new")
    with draft.open("wb") as out:
        out.write(orjson.dumps(content))
        out.flush()
        os.fsync(out.fileno())
    draft.replace(file)
