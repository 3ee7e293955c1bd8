"""Read a scan and a recording on a stack that has no route out, and ask about both."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from app.library.tests.scans import data, page
from tools.reference import ROOT

RECORDING = ROOT / "app" / "library" / "tests" / "recordings" / "jfk.mp3"
# In the container.
FOLDER = Path("/tmp/media")
# Each with what its answer says in the file's own words.
QUESTIONS = {"Where is part E-2172 ordered?": "Bremen", "What should fellow Americans ask?": "for your country"}
READ_S = 300


def media_check(environment: Mapping[str, str]) -> str:
    """Return what is wrong, or nothing."""

    def web(*command: str, given: bytes | None = None) -> str:
        done = subprocess.run(
            ["docker", "compose", "exec", "-T", "web", *command],
            cwd=ROOT, env=dict(environment), input=given, timeout=READ_S, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return done.stdout.decode(errors="replace")

    web("mkdir", "-p", str(FOLDER))
    for name, content in {"scan.png": data(page()), "speech.mp3": RECORDING.read_bytes()}.items():
        web("sh", "-c", f"cat > {FOLDER / name}", given=content)
    output = web("python", "manage.py", "ingest", str(FOLDER), "--wait")
    if "2 of 2 files taken." not in output:
        return f"a scan and a recording were not read:\n{output}"
    for question, words in QUESTIONS.items():
        answer = web("python", "manage.py", "ask", "default", question)
        if words.lower() not in answer.lower():
            return f"{question!r} was answered without {words!r}:\n{answer}"
    return ""
