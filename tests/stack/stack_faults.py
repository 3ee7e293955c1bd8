"""`scripts/test-stack --faults`: each container killed in mid-ingest and mid-answer, and what must hold afterwards.

The invariants are those of docs/architecture.md. A kill is `docker kill` and `docker start`, which an engine takes as
a stop by hand: the restart policy is then not asked.
"""

import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from app.operations.smoke.steps import say
from tests.stack.stack_load import ENDED, Load

VICTIMS = ("web", "worker", "beat", "embeddings", "postgres", "valkey", "qdrant", "minio", "keycloak", "proxy")
FILES, QUESTIONS = 8, 6
# In seconds: between the load's start and the kill; down; to an answer; to all documents read; to all answers ended.
BEFORE_S, DOWN_S, ANSWER_S, READ_S, ENDED_S = 1.5, 1.0, 90.0, 180.0, 120.0
MODEL = Path(__file__).with_name("slow_model.py")
MODEL_PORT = 9000
MODEL_SETTINGS = {"REFDESK_LLM_URL": f"http://slow-model:{MODEL_PORT}/v1", "REFDESK_LLM_MODEL": "slow"}

# Each must count nothing. Asked as the superuser, whom row security does not bind.
RULES = {
    "questions without an answer": """SELECT count(*) FROM chat_message q WHERE role = 'user'
        AND NOT EXISTS (SELECT 1 FROM chat_message a WHERE a.reply_to_id = q.id)""",
    "leases that nobody keeps": """SELECT count(*) FROM jobs_job
        WHERE state = 'running' AND lease_until < now() - interval '2 minutes'""",
    "answers that are charged otherwise than recorded": """SELECT count(*) FROM chat_message m, LATERAL (
            SELECT sum(requests) n, sum(tokens_in) i, sum(tokens_out) o FROM plans_usageentry
            WHERE subject = m.id AND kind = 'turn') e
        WHERE role = 'assistant' AND (1, m.tokens_in, m.tokens_out) IS DISTINCT FROM (e.n, e.i, e.o)""",
    "totals that are not the ledger's sums": """SELECT count(*) FROM plans_usagetotal t, LATERAL (
            SELECT sum(requests) n, sum(tokens_in) i, sum(tokens_out) o FROM plans_usageentry u
            WHERE u.organisation_id = t.organisation_id AND date_trunc('month', u.day)::date = t.month) e
        WHERE api_key IS NULL AND (t.requests, t.tokens_in, t.tokens_out) IS DISTINCT FROM (e.n, e.i, e.o)""",
    "rows of another organisation": """SELECT (SELECT count(*) FROM chat_citation c JOIN chat_message m
            ON m.id = c.message_id WHERE c.organisation_id <> m.organisation_id)
        + (SELECT count(*) FROM chat_citation c JOIN library_document d ON d.id = c.document_id
            WHERE c.organisation_id <> d.organisation_id)
        + (SELECT count(*) FROM library_chunk c JOIN library_document d ON d.id = c.document_id
            WHERE c.organisation_id <> d.organisation_id)""",
}

STATES = """SELECT string_agg(n || ' ' || state, ', ') FROM (SELECT state, count(*) n FROM chat_message
    WHERE role = 'assistant' GROUP BY state ORDER BY state) x"""


class Stack(Protocol):
    project: str
    environment: dict[str, str]

    def compose(self, *arguments: str) -> str: ...
    def run(self, *command: str, limit_s: float = ..., quiet: bool = ...) -> str: ...


class Faults:
    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        stack.run(
            "docker", "run", "--detach", "--rm", "--name", f"{stack.project}-model", "--network",
            f"{stack.project}_models", "--network-alias", "slow-model", "--read-only",
            "--volume", f"{MODEL}:/model.py:ro", stack.environment["APP_IMAGE"],
            "python", "/model.py", str(MODEL_PORT), quiet=True,
        )  # fmt: skip
        key = self._manage("api_key_create", "--organisation", "default", "--name", "faults").split()[-1]
        self.load = Load(stack.environment["REFDESK_URL"], key)
        self.broken: list[str] = []

    def each(self, victims: Iterable[str]) -> list[str]:
        """Return the broken invariants as sentences."""
        for victim in victims:
            self._one(victim)
        self._audit()
        return self.broken

    def stop(self) -> None:
        subprocess.run(["docker", "rm", "--force", f"{self.stack.project}-model"], capture_output=True, check=False)

    def _one(self, victim: str) -> None:
        container = self.stack.compose("ps", "--quiet", victim).strip()
        before = len(self.load.documents), len(self.load.conversations)
        self.load.begin(victim, files=FILES, questions=QUESTIONS)
        time.sleep(BEFORE_S)
        self.stack.run("docker", "kill", "--signal", "KILL", container, quiet=True)
        time.sleep(DOWN_S)
        self.stack.run("docker", "start", container, quiet=True)
        answered = self._within(victim, "an answer with a citation", ANSWER_S, self.load.answers)
        signs_in = self._within(victim, "the way to sign in", ANSWER_S, self.load.provider_answers)
        self.load.join()
        read = self._within(victim, "all documents read", READ_S, self._all_read)
        ended = self._within(victim, "all answers ended", ENDED_S, lambda: self._count("state = 'running'") == 0)
        for name, question in RULES.items():
            if found := self._sql(question):
                self.broken.append(f"{victim}: {found} {name}")
        self._readable(victim, before[1])
        agreed = self._within(victim, "rows, vectors and files agree", ENDED_S, self._store_agrees)
        documents, streams = len(self.load.documents) - before[0], len(self.load.conversations) - before[1]
        say(
            f"{victim:<11} answers after {answered:4.1f} s, sign-in {signs_in:4.1f} s, documents {read:5.1f} s, "
            f"answers ended {ended:4.1f} s, store {agreed:4.1f} s; "
            f"{documents} documents, {streams} streams; so far {self._sql_text(STATES)}"
        )

    def _within(self, victim: str, what: str, limit_s: float, holds: Callable[[], bool]) -> float:
        began = time.monotonic()
        while not holds():
            if time.monotonic() - began > limit_s:
                self.broken.append(f"{victim}: not within {limit_s:.0f} s: {what}")
                break
            time.sleep(0.5)
        return time.monotonic() - began

    def _all_read(self) -> bool:
        # Accepted is kept: a document that was lost is not among the ready ones.
        wanted = ", ".join(f"'{document}'" for document in self.load.documents) or "NULL"
        ready = self._sql(f"SELECT count(*) FROM library_document WHERE state = 'ready' AND id IN ({wanted})")
        waiting = self._sql("SELECT count(*) FROM library_document WHERE state <> 'ready'")
        return ready == len(set(self.load.documents)) and not waiting

    def _count(self, where: str) -> int:
        return self._sql(f"SELECT count(*) FROM chat_message WHERE {where}")

    def _readable(self, victim: str, since: int) -> None:
        for conversation in self.load.conversations[since:]:
            items = self.load.get(f"/conversations/{conversation}/messages").get("items", [])
            if {item["role"] for item in items} != {"user", "assistant"} or any(
                item["state"] not in ENDED for item in items
            ):
                self.broken.append(f"{victim}: the conversation {conversation} cannot be read: {items}")

    def _store_agrees(self) -> bool:
        done = subprocess.run(
            ["docker", "compose", "exec", "-T", "worker", "python", "manage.py", "check_store"],
            env=self.stack.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode == 0

    def _audit(self) -> None:
        if "BROKEN" in (output := self._manage("audit_verify")):
            self.broken.append(f"the audit trail: {output}")

    def _manage(self, *arguments: str) -> str:
        return self.stack.compose("exec", "-T", "web", "python", "manage.py", *arguments)

    def _sql(self, question: str) -> int:
        return int(self._sql_text(question))

    def _sql_text(self, question: str) -> str:
        return self.stack.compose(
            "exec", "-T", "postgres", "psql", "-U", "postgres", "-d", "refdesk", "-Atc", question
        ).strip()
