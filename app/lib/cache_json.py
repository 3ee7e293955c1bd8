"""The cache's serialiser: JSON, so that write access to Valkey cannot run code here as with pickle."""

from typing import Any

import orjson


class JsonSerializer:
    def dumps(self, value: Any) -> int | bytes:
        # Whole numbers are stored as they are, so that the server can count with them; a bool is not one.
        return value if type(value) is int else orjson.dumps(value)

    def loads(self, data: bytes) -> Any:
        try:
            return int(data)
        except ValueError:
            return orjson.loads(data)
