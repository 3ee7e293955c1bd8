from pathlib import Path
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError, CommandParser

from app.privacy.erasure.receipts import fingerprint, receipt_is_ours


class Command(BaseCommand):
    help = "Say whether this box made a receipt of an erasure, and whether it is about a person."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--person", metavar="EMAIL", help="is it about this address?")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            receipt = orjson.loads(options["file"].read_bytes())
        except (OSError, ValueError) as error:
            raise CommandError("The file cannot be read as JSON.") from error
        if not isinstance(receipt, dict) or not receipt_is_ours(receipt):
            raise CommandError("This box did not make this receipt, or somebody changed it.")
        if options["person"] and receipt.get("person_fingerprint") != fingerprint(options["person"]):
            raise CommandError("The receipt is genuine, but not about this address.")
        self.stdout.write("The receipt is genuine.")
