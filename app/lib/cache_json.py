"""The cache's serialiser: JSON, because with pickle write access to Valkey would allow running code here."""

from typing import Any

import orjson


class JsonSerializer:
    def dumps(self, value: Any) -> int | bytes:
        # Integers are stored as plain numbers, so that the server can increment them; a bool is not an integer here.
        return value if type(value) is int else orjson.dumps(value)

    def loads(self, data: bytes) -> Any:
        try:
            return int(data)
        except ValueError:
            return orjson.loads(data)
