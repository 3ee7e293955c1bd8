"""The steps of one run, in their order, and their undoing."""

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Playwright

from app.ops.smoke.keycloak import DOMAIN, Keycloak, name_new, password_new
from app.ops.smoke.paper import Paper, paper_make
from app.ops.smoke.portal import Portal, chromium
from app.ops.smoke.stack import Stack
from app.ops.smoke.steps import Failed, say, step

SIGN_IN = "scripts/logs keycloak web, docs/sign-in.md"
STORES = "scripts/doctor, scripts/logs web worker"


class Run:
    def __init__(
        self, stack: Stack, asked: argparse.Namespace, playwright: Playwright, folder: Path, *, root: bool
    ) -> None:
        self.stack, self._asked, self._playwright, self._folder, self._root = stack, asked, playwright, folder, root
        self._name, self._password = name_new(), password_new()
        self._paper: Paper = paper_make(self._name.rsplit("-", 1)[1])
        self._open = ExitStack()
        self._browser: Browser
        self._address = ""
        self._document = ""
        self._uploading = False
        self._keycloak: Keycloak | None = None
        self._portal: Portal | None = None
        self._citation: dict[str, Any] = {}

    def everything(self) -> None:
        self._begin()
        self._first_part()

    # --- the steps ------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        with step("Finding the stack", "scripts/status"):
            self._address = self.stack.address()
            self._browser = self._open.enter_context(chromium(self._playwright, root=self._root))
        say(f"  at {self._address}")
        with step("Making a person in Keycloak", "scripts/status, scripts/logs keycloak proxy"):
            self._keycloak = self._keycloak_find()
            self._keycloak.person_add(self._name, self._password)

    def _keycloak_find(self) -> Keycloak:
        file: Path | None = self._asked.keycloak_password_file
        first = ("keycloak", "cat", "/run/refdesk/admin")
        password = file.read_text("utf-8").strip() if file else self.stack.inside(*first).strip()
        return Keycloak(self._address, self._asked.keycloak_admin, password, insecure=self._asked.insecure)

    def _first_part(self) -> None:
        portal = self._sign_in("Signing in through Keycloak's page")
        with step("Uploading a document and waiting until it is read", STORES):
            self._uploading = True
            self._document = portal.upload(self._paper, self._folder)
        self._ask("Asking, and opening the source that the answer cites", portal)
        self._compare_original(portal)
        with step("Signing out, here and at Keycloak", SIGN_IN):
            portal.sign_out()

    def _sign_in(self, name: str) -> Portal:
        with step(name, SIGN_IN):
            portal = self._portal_new()
            portal.sign_in(self._name, self._password)
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

    def picture(self) -> Path | None:
        if self._portal is None:
            return None
        path: Path = self._asked.pictures / f"{self._name}.png"
        try:
            self._asked.pictures.mkdir(parents=True, exist_ok=True)
            self._portal.picture(path)
        except Exception:
            return None
        return path

    def remove(self) -> bool:
        """What this run made: document, conversations, person here, person in Keycloak. False when something stays."""
        if self._keycloak is None:
            self._open.close()
            return True
        left = []
        for name, remove in (
            ("document", self._document_remove),
            ("person in Refdesk, with their conversations", self._person_erase),
            ("person in Keycloak", self._keycloak_person_remove),
        ):
            try:
                remove()
            except Exception as error:
                left.append(f"  {name}: {(str(error).splitlines() or [type(error).__name__])[0]}")
        self._open.close()
        if left:
            say(f"Could not be removed, of {self._name} and {self._paper.name}:\n" + "\n".join(left))
        else:
            say("What this run made is removed again.")
        return not left

    def _document_remove(self) -> None:
        if not self._uploading:
            return
        # The run may have ended signed out, or with a page that is broken.
        portal = self._portal_new()
        portal.sign_in(self._name, self._password)
        _, found = portal.call("GET", f"/api/v1/documents?q={self._paper.name}")
        for row in found["items"]:
            status, said = portal.call("DELETE", f"/api/v1/documents/{row['id']}")
            if status != 204:
                raise Failed(f"{status} {said}")

    def _person_erase(self) -> None:
        try:
            self.stack.manage("person_erase", f"{self._name}@{DOMAIN}", "--yes")
        except Failed as error:
            # They never came in.
            if "Nobody has this" not in error.what:
                raise

    def _keycloak_person_remove(self) -> None:
        if self._keycloak is not None:
            self._keycloak.person_remove(self._name)

    def _portal_new(self) -> Portal:
        if self._portal is not None:
            self._portal.close()
        self._portal = Portal(self._browser, self._address, insecure=self._asked.insecure)
        return self._portal
