"""A language model from a GGUF file behind `/v1/chat/completions`, by llama.cpp's own server inside `xllamacpp`.

    python -m app.embedded.llm --file F.gguf --name NAME --host 127.0.0.1 --port 8080

REFDESK_LLM_API_KEY, when set, is required: without it every page open in a browser here could use the model.
"""

import argparse
import signal
from pathlib import Path

import xllamacpp

from app import env

# Two answers at a time, each with room for a prompt of ten long passages; 0.5 GB for the 1.5B model.
PARALLEL = 2
CONTEXT = 8192


def main() -> None:
    parser = argparse.ArgumentParser(description="A language model behind OpenAI's API")
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()

    settings = xllamacpp.CommonParams()
    settings.model.path = str(arguments.file)
    settings.model_alias = {arguments.name}
    settings.hostnames = [arguments.host]
    settings.port = arguments.port
    settings.n_parallel = PARALLEL
    settings.n_ctx = PARALLEL * CONTEXT
    settings.cache_ram_mib = 256
    settings.offline = True
    settings.ui = False
    settings.endpoint_slots = False
    settings.cors_origins = ""
    if key := env.read("REFDESK_LLM_API_KEY"):
        settings.api_keys = [key]

    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # The server listens while it loads, and responds with 503; it runs as long as this object exists.
    server = xllamacpp.Server(settings)
    print(f"listening on {server.listening_address}", flush=True)  # noqa: T201
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
