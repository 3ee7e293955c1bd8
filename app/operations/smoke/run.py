"""The steps of one run in order, and the removal of their data."""

import argparse
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Playwright

from app.operations.smoke.foreign import foreign_refuse
from app.operations.smoke.keycloak import Keycloak
from app.operations.smoke.names import person_name, word_new
from app.operations.smoke.paper import Paper, paper_make
from app.operations.smoke.portal import Portal, chromium
from app.operations.smoke.stack import Stack
from app.operations.smoke.steps import Failed, StepFailed, say, step

SIGN_IN = "scripts/logs keycloak web, docs/sign-in.md"
STORES = "scripts/doctor, scripts/logs web worker"


class Run:
    def __init__(self, stack: Stack, asked: argparse.Namespace) -> None:
        self.stack, self._asked = stack, asked
        # Picture of the browser when a step failed.
        self.picture: Path | None = None
        self._word, self._password = word_new(), secrets.token_urlsafe(24)
        self._paper: Paper = paper_make(self._word)
        self._browser: Browser
        self._address = ""
        self._document = ""
        self._keycloak: Keycloak | None = None
        self._portal: Portal | None = None
        self._citation: dict[str, Any] = {}

    @contextmanager
    def browser_open(self, playwright: Playwright, *, root: bool) -> Iterator[None]:
        """Provide a browser; take a screenshot when a step fails."""
        with chromium(playwright, root=root) as self._browser:
            try:
                yield
            except StepFailed:
                self._picture_take()
                raise

    def everything(self, folder: Path) -> None:
        self._begin()
        if self._asked.full:
            self._foreign_refuse()
        self._first_part(folder)
        if self._asked.full:
            self._second_part(folder)

    # --- the steps ------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        with step("Finding the stack", "scripts/status"):
            self._address = self.stack.address()
        say(f"  at {self._address}")
        with step("Making a person in Keycloak", "scripts/status, scripts/logs keycloak proxy"):
            self._keycloak = self._keycloak_find()
            self._keycloak.person_add(self._word, self._password)

    def _keycloak_find(self) -> Keycloak:
        file: Path | None = self._asked.keycloak_password_file
        first = ("keycloak", "cat", "/run/refdesk/admin")
        password = file.read_text("utf-8").strip() if file else self.stack.inside(*first).strip()
        return Keycloak(self._address, self._asked.keycloak_admin, password, insecure=self._asked.insecure)

    def _first_part(self, folder: Path) -> None:
        portal = self._sign_in("Signing in through Keycloak's page")
        with step("Uploading a document and waiting until it is read", STORES):
            self._document = portal.upload(self._paper, folder)
        self._ask("Asking, and opening the source that the answer cites", portal)
        self._compare_original(portal)
        with step("Signing out, here and at Keycloak", SIGN_IN):
            portal.sign_out()

    def _foreign_refuse(self) -> None:
        with step("Looking for anything that --full must not erase", "docs/troubleshooting.md"):
            foreign_refuse(self.stack, self._keycloak_find())

    def _second_part(self, folder: Path) -> None:
        with step("Backing up", "docs/backup.md, scripts/status"):
            file = folder / "smoke.tar"
            self.stack.script("backup", "--stack", str(file))
        say(f"  {file.stat().st_size / 1e6:.1f} MB")
        # Other people may have added data meanwhile.
        self._foreign_refuse()
        with step("Erasing everything: containers and volumes", "scripts/status"):
            self.stack.wipe()
        with step("Restoring, and waiting until all is healthy", "docs/backup.md, scripts/status"):
            self.stack.script("restore", "--stack", str(file))
        # After a restore Keycloak's first password may be another one: the box has the current one.
        self._keycloak = self._keycloak_find()
        portal = self._sign_in("Signing in again, as the same person")
        self._ask("Asking again: the same source is cited", portal)
        self._compare_original(portal)
        with step("Signing out again", SIGN_IN):
            portal.sign_out()

    def _sign_in(self, name: str) -> Portal:
        with step(name, SIGN_IN):
            portal = self._portal_new()
            portal.sign_in(self._word, self._password)
        return portal

    def _ask(self, name: str, portal: Portal) -> None:
        with step(name, f"{STORES} embeddings"):
            portal.ask(self._paper)
            found = portal.citation(self._paper, self._document)
            if self._citation and found != self._citation:
                raise Failed(f"the citation is another one: {found} instead of {self._citation}")
            self._citation = found

    def _compare_original(self, portal: Portal) -> None:
        with step("Downloading the original and comparing it", "scripts/doctor, scripts/logs web minio"):
            got = portal.original(self._document)
            if got != self._paper.content:
                raise Failed(f"{len(got)} bytes came, which are not the {len(self._paper.content)} that were uploaded")

    # --- afterwards -----------------------------------------------------------------------------------------------

    def _picture_take(self) -> None:
        if self._portal is None:
            return
        path: Path = self._asked.pictures / f"{person_name(self._word)}.png"
        # The browser itself may have failed.
        with suppress(Exception):
            self._asked.pictures.mkdir(parents=True, exist_ok=True)
            self._portal.picture(path)
            self.picture = path

    def remove(self) -> bool:
        """Remove this run's data without the browser, which may have crashed. Return False when some remains."""
        if self._keycloak is None:
            return True
        left = []
        for name, remove in (
            ("document, conversation and person in Refdesk", self._traces_remove),
            ("person in Keycloak", self._keycloak_person_remove),
        ):
            try:
                remove()
            except Exception as error:
                left.append(f"  {name}: {(str(error).splitlines() or [type(error).__name__])[0]}")
        if left:
            say(f"Could not be removed, of {person_name(self._word)} and {self._paper.name}:\n" + "\n".join(left))
        else:
            say("What this run made is removed again.")
        return not left

    def _keycloak_person_remove(self) -> None:
        if self._keycloak is not None:
            self._keycloak.person_remove(self._word)

    def _traces_remove(self) -> None:
        self.stack.manage("smoke_traces", "--remove", self._word)

    def _portal_new(self) -> Portal:
        if self._portal is not None:
            self._portal.close()
        self._portal = Portal(self._browser, self._address, insecure=self._asked.insecure)
        return self._portal
