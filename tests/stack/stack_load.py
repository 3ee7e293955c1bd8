"""Uploads and questions for a stack under faults, with a record of what was accepted and must be there afterwards."""

import json
import threading
import time
import uuid
from typing import Any

import urllib3

PATIENCE_S = 60.0
# States that an answer may end in (app/chat/choices.py).
ENDED = {"done", "stopped", "interrupted", "failed"}


class Load:
    """Load with an API key of the first organisation, through the proxy."""

    def __init__(self, address: str, key: str) -> None:
        self._public = address
        self.address, self._headers = f"{address}/api/v1", {"Authorization": f"Bearer {key}"}
        self._http = urllib3.PoolManager(
            retries=urllib3.Retry(5, connect=0, read=0, status=0, other=0),
            timeout=urllib3.Timeout(PATIENCE_S),
            maxsize=32,
        )
        # Ids of documents that were accepted, conversations that began, and ways in which readers ended.
        self.documents: list[str] = []
        self.conversations: list[str] = []
        self.refused = 0
        self._lock, self._threads = threading.Lock(), list[threading.Thread]()

    def begin(self, name: str, *, files: int, questions: int) -> None:
        """Start the load in threads and return at once."""
        for number in range(files):
            self._start(self._upload, f"{name}-{number}")
        for number in range(questions):
            self._start(self._ask, f"{name}: what does error E-17 mean, in case {number}?")

    def join(self) -> None:
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def get(self, path: str) -> Any:
        answer = self._http.request("GET", f"{self.address}{path}", headers=self._headers)
        return answer.json() if answer.status == 200 else {"status": answer.status}

    def answers(self) -> bool:
        """Return whether a whole turn goes through, with a citation."""
        body = {"message": "What does error E-17 mean?", "stream": False}
        try:
            answer = self._http.request(
                "POST", f"{self.address}/bots/default/chat", json=body, headers=self._headers, timeout=20.0
            )
            return answer.status == 200 and bool(answer.json()["message"]["citations"])
        except urllib3.exceptions.HTTPError:
            return False

    def provider_answers(self) -> bool:
        """Return whether signing in leads to Keycloak's page."""
        try:
            answer = self._http.request("GET", f"{self._public}/accounts/oidc/sign-in", timeout=20.0)
            return answer.status == 200 and b"kc-login" in answer.data
        except urllib3.exceptions.HTTPError:
            return False

    def _start(self, what: Any, argument: str) -> None:
        thread = threading.Thread(target=what, args=(argument,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _upload(self, name: str) -> None:
        """Upload a file, again until there is a response: the same bytes twice are one document."""
        text = "\n\n".join(f"Paragraph {n} of {name} about maintenance, holidays and pumps." for n in range(60))
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                answer = self._http.request(
                    "POST",
                    f"{self.address}/documents",
                    fields={"file": (f"{name}.txt", text.encode(), "text/plain")},
                    headers=self._headers,
                )
                item = answer.json()["items"][0] if answer.status == 202 else {}
                if item.get("id") or (item.get("error") or {}).get("code") == "duplicate":
                    with self._lock:
                        self.documents += [item["id"]] if item.get("id") else []
                    return
            except (urllib3.exceptions.HTTPError, ValueError):
                pass
            with self._lock:
                self.refused += 1
            time.sleep(1)

    def _ask(self, question: str) -> None:
        """Ask a question and read the stream to its end or to where it breaks."""
        headers = {**self._headers, "Idempotency-Key": str(uuid.uuid4())}
        try:
            answer = self._http.request(
                "POST", f"{self.address}/bots/default/chat", json={"message": question},
                headers=headers, preload_content=False,
            )  # fmt: skip
            if answer.status != 200:
                with self._lock:
                    self.refused += 1
                return
            for line in answer:
                if line.startswith(b"data:") and b'"conversation"' in line:
                    output = json.loads(line[5:])
                    with self._lock:
                        self.conversations.append(output["conversation"])
        except (urllib3.exceptions.HTTPError, ValueError, KeyError):
            return
