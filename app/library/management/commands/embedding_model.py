import sys
from typing import Any
from uuid import UUID

import orjson
from django.core.management.base import BaseCommand, CommandError, CommandParser

from app.errors import RefdeskError
from app.library.selectors.embedding_change import change_describe, change_newest, model_in_use
from app.library.services import embedding_change as services
from app.llm.models import EmbeddingChange

STEPS = {
    "start": services.change_start,
    "pause": services.change_pause,
    "resume": services.change_resume,
    "switch": services.change_switch,
    "drop": services.change_drop,
    "abandon": services.change_abandon,
}


class Command(BaseCommand):
    help = "Show the embedding model, or change it without an outage: measure, start, switch, drop (docs/models.md)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("step", nargs="?", default="show", choices=["show", "measure", *STEPS, "key"])
        parser.add_argument(
            "--url", default="", help="of measure: an address ending in /v1; none: the settings' server"
        )
        parser.add_argument("--model", default="", help="of measure: none: the server's first")
        parser.add_argument("--key-stdin", action="store_true", help="of measure: read an API key from standard input")
        parser.add_argument("--change", type=UUID, help="id of the change; none: the newest")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            row = self._step(options)
        except RefdeskError as error:
            raise CommandError(f"{error.message} {error.hint}".strip()) from error
        in_use, change = model_in_use(), change_describe(row) if row else None
        if options["json"]:
            facts = {"in_use": in_use, "change": change}
            self.stdout.write(orjson.dumps(facts, option=orjson.OPT_INDENT_2).decode())
            return
        self.stdout.write(f"In use: {in_use}")
        for name, value in (change or {}).items():
            self.stdout.write(f"{name}: {'' if value is None else value}")

    def _step(self, options: dict[str, Any]) -> EmbeddingChange | None:
        step = options["step"]
        if step == "measure":
            key = sys.stdin.readline().strip() if options["key_stdin"] else ""
            return services.change_measure(url=options["url"], model=options["model"], api_key=key)
        row = change_newest(change=options["change"])
        if step == "show":
            return row
        if row is None:
            raise CommandError("There is no change of the embedding model. Begin with: embedding_model measure --url …")
        if step == "key":
            return services.change_key_set(change=row.pk, api_key=sys.stdin.readline().strip())
        return STEPS[step](change=row.pk)
