import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from app.audit.trail import audit_record
from app.errors import RefdeskError
from app.llm.ollama import InstalledModel, OllamaServer, PullProgress
from app.llm.routing import endpoint_default


class Command(BaseCommand):
    help = "List the models of the Ollama that REFDESK_LLM_URL names, fetch one, or delete one."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", metavar="list | pull | delete")
        listing = actions.add_parser("list", help="what is there, and the context that each is served with (default)")
        listing.add_argument("--json", action="store_true")
        for action, words in (("pull", "fetch a model, with progress"), ("delete", "delete a model from the server")):
            actions.add_parser(action, help=words).add_argument("name", metavar="NAME")

    def handle(self, *args: Any, **options: Any) -> None:
        endpoint = endpoint_default()
        if endpoint is None:
            raise CommandError("No model server is set. REFDESK_LLM_URL names one; docs/models.md says how.")
        server = OllamaServer(endpoint)
        try:
            if not server.is_ollama():
                raise CommandError(f"{endpoint.url} is not an Ollama: it was given its models when it was started.")
            self._act(server, options)
        except RefdeskError as error:
            reason = error.details.get("reason")
            raise CommandError(f"{error.message} {f'It says: {reason}. ' if reason else ''}{error.hint}") from error

    def _act(self, server: OllamaServer, options: dict[str, Any]) -> None:
        name = options.get("name", "")
        match options["action"]:
            case "pull":
                self._pull(server, name)
                self._record("ollama.pull", name)
            case "delete":
                server.delete(name)
                self._record("ollama.delete", name)
                self.stdout.write(f"{name} is deleted.")
            case _:
                self._list(server.models(), as_json=bool(options.get("json")))

    def _pull(self, server: OllamaServer, name: str) -> None:
        last = ""
        for progress in server.pull(name):
            line = progress_line(progress)
            if line != last:
                self.stdout.write(f"  {line}")
                self.stdout.flush()
                last = line
        self.stdout.write(f"{name} is there.")

    def _list(self, models: list[InstalledModel], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps([asdict(model) for model in models], indent=2))
            return
        if not models:
            self.stdout.write("No model is there yet: manage.py models pull qwen2.5:3b fetches one.")
        for model in models:
            self.stdout.write(
                f"{model.name}  {model.parameters or '?'} parameters, {model.bytes / 10**9:,.1f} GB, {_context(model)}"
                f"{', for embedding' if model.embeds else ''}"
            )

    def _record(self, action: str, name: str) -> None:
        with transaction.atomic():
            audit_record(organisation=None, action=action, target_name=name)


def progress_line(progress: PullProgress) -> str:
    """Return the line for a tenth of a part: the same line until the next tenth."""
    if not progress.total:
        return progress.step
    tenths = progress.done * 10 // progress.total
    return f"{progress.step}: {tenths * 10} % of {progress.total / 10**6:,.0f} MB"


def _context(model: InstalledModel) -> str:
    trained = f" of {model.trained} that it was made for" if model.trained else ""
    if model.context is None:
        return f"context known when it is loaded{trained}"
    return f"{model.context} tokens of context{trained}{'' if model.loaded else ', not loaded'}"
