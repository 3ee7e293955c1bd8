"""An embeddings server that costs next to nothing: the same vector for every text. `python -m bench.fake_embeddings`"""

import argparse
import base64
from array import array
from typing import Any

import orjson

from app.embedded.serve import Receive, Scope, Send, body_read, json_send, run, with_lifespan

DIMENSIONS, MAX_TOKENS = 384, 256
MODEL = "all-MiniLM-L6-v2"  # so that passages are cut with its own tokenizer, as with the real one
VECTOR = base64.b64encode(array("f", [DIMENSIONS**-0.5] * DIMENSIONS).tobytes()).decode()


async def serve(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["method"] == "GET":
        answer: Any = {"data": [{"id": MODEL, "max_model_len": MAX_TOKENS}]}
    else:
        texts = orjson.loads(await body_read(receive, limit=64 * 1024**2))["input"]
        answer = {"data": [{"index": place, "embedding": VECTOR} for place in range(len(texts))]}
    await json_send(send, 200, answer)


async def nothing() -> None:
    """Open and close nothing."""


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    run(with_lifespan(serve, start=nothing, stop=nothing), name="fake embeddings", host=options.host, port=options.port)
