import asyncio
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError, CommandParser

from app.accounts.models import Organisation
from app.accounts.selectors import organisation_get
from app.bots.selectors import bot_list
from app.chat.turns.repository import Owner
from app.chat.turns.run import turn_begin
from app.chat.turns.state import TurnRequest
from app.errors import NotFound, RefdeskError
from app.lib.async_sql import database_close
from app.lib.http import http_session_close
from app.lib.nearest_name import did_you_mean
from app.lib.valkey import valkey_close
from app.library.places import place_label


class Command(BaseCommand):
    help = "Ask a bot a question; prints the answer while it is written, and its sources."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("bot", help="slug of the bot")
        parser.add_argument("question")
        parser.add_argument("--organisation", default="default", metavar="SLUG")
        parser.add_argument("--json", action="store_true", help="print the Message as JSON instead")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            organisation = organisation_get(slug=options["organisation"])
            self._check_bot(organisation, options["bot"])
            request = TurnRequest(owner=Owner(organisation.id), bot=options["bot"], question=options["question"])
            message = asyncio.run(self._ask(request, quiet=options["json"]))
        except RefdeskError as error:
            raise CommandError(error.message) from error
        if options["json"]:
            self.stdout.write(orjson.dumps(message, option=orjson.OPT_INDENT_2).decode())
        else:
            self._show(message)
        if message["state"] != "done":
            raise CommandError(message["error"]["message"] if message["error"] else "The answer was not finished.")

    def _check_bot(self, organisation: Organisation, slug: str) -> None:
        """Raise NotFound for a bot that is not there, with the slug that was meant perhaps."""
        slugs = list(bot_list(organisation=organisation.id).values_list("slug", flat=True))
        if slug not in slugs:
            raise NotFound(message=f"There is no bot {slug!r} in {organisation.slug}.{did_you_mean(slug, slugs)}")

    async def _ask(self, request: TurnRequest, *, quiet: bool) -> dict[str, Any]:
        try:
            turn = await turn_begin(request)
            async for batch in turn.stream.read():
                for event in batch:
                    if event.name == "delta" and not quiet:
                        self.stdout.write(event.data["text"], ending="")
                        self.stdout.flush()
            # The turn's task still reports the end to Valkey: closing the client first would look like a failed Valkey.
            if turn.stream.task is not None:
                await turn.stream.task
            if turn.message is None:
                raise RefdeskError("database_unavailable")
            message: dict[str, Any] = orjson.loads(orjson.dumps(turn.message))
            return message
        finally:
            await http_session_close()
            await database_close()
            await valkey_close()

    def _show(self, message: dict[str, Any]) -> None:
        self.stdout.write("\n")
        cited = {citation["n"]: citation["passage"] for citation in message["citations"]}
        for n, passage in sorted(cited.items()):
            where = place_label(passage["place"])
            self.stdout.write(f"[{n}] {passage['document']['name']}" + (f", {where}" if where else ""))
        if message["notice"]:
            self.stdout.write(message["notice"]["message"])
        self.stdout.write(f"({message['mode']}, {message['timings']['total_s']:.2f} s)")
