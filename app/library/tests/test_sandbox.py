import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from app.embedded.process import start_time
from app.library.parsers import parse
from app.library.parsers.blocks import ParseError, blocks_to_json
from app.library.parsers.detect import detect_media_type
from app.library.parsers.limits import DEFAULT, MEBIBYTE, Limits
from app.library.pipeline import sandbox
from app.library.pipeline.sandbox import ParsedChunks, parse_and_chunk
from tests.waiting import wait_until

# Takes tens of seconds to read, in little memory.
SLOW = "<div>" * 200_000


def read(path: Path, limits: Limits = DEFAULT, should_stop: Callable[[], bool] | None = None) -> ParsedChunks:
    return parse_and_chunk(path, path.name, max_tokens=254, limits=limits, should_stop=should_stop)


def failure(path: Path, limits: Limits = DEFAULT, should_stop: Callable[[], bool] | None = None) -> ParseError:
    with pytest.raises(ParseError) as caught:
        read(path, limits, should_stop)
    return caught.value


def zygote() -> psutil.Process:
    process = sandbox._zygote.process
    assert process is not None
    return psutil.Process(process.pid)


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_what_comes_back_is_what_was_parsed(tmp_path: Path) -> None:
    path = written(tmp_path, "a.md", "# Title\n\nSome words.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n")
    result = read(path)
    parsed = parse(path, detect_media_type(path, path.name))
    assert result.parsed == parsed
    assert result.blocks_json == blocks_to_json(parsed)
    assert (result.media_type, result.title, result.pages) == ("text/markdown", "Title", None)
    assert [draft.text for draft in result.drafts] == ["Title\n\nSome words.\n\na: 1; b: 2"]
    assert result.drafts[0].place.heading == ("Title",)


def test_a_named_error_comes_through(tmp_path: Path) -> None:
    error = failure(written(tmp_path, "a.pdf", "%PDF-1.4 junk"))
    assert (error.code, error.status) == ("broken_file", 422)
    assert failure(tmp_path / "missing.txt").code == "parse_crashed"


def test_too_much_time_ends_the_child_and_not_the_parent(tmp_path: Path) -> None:
    path = written(tmp_path, "a.html", SLOW)
    begin = time.monotonic()
    assert failure(path, replace(DEFAULT, wall_s=1)).code == "parse_timeout"
    assert time.monotonic() - begin < 15
    assert failure(path, replace(DEFAULT, cpu_s=1)).code == "parse_timeout"
    assert read(written(tmp_path, "b.txt", "fine")).text_chars == 4


def test_too_much_memory_ends_the_child_and_not_the_parent(tmp_path: Path) -> None:
    path = written(tmp_path, "a.html", "<p>x" * 3_000_000)
    assert failure(path, replace(DEFAULT, memory_bytes=256 * MEBIBYTE)).code == "parse_memory"
    assert read(written(tmp_path, "b.txt", "fine")).text_chars == 4


def test_a_child_that_is_killed_is_told_and_others_live(tmp_path: Path) -> None:
    path = written(tmp_path, "a.html", SLOW)
    read(written(tmp_path, "b.txt", "warm"))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(failure, path)
        child = _first_child(zygote())
        child.send_signal(signal.SIGKILL)
        assert waiting.result(timeout=60).code in ("parse_crashed", "parse_memory")


def _first_child(process: psutil.Process) -> psutil.Process:
    return wait_until(process.children, limit_s=30, what="a child")[0]


def test_stopping_kills_the_child_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, "a.html", SLOW)
    begin = time.monotonic()
    assert failure(path, should_stop=lambda: time.monotonic() - begin > 0.5).code == "cancelled"
    assert time.monotonic() - begin < 6  # a tenth of what the file would take
    wait_until(lambda: not zygote().children(), limit_s=30)


def test_a_dead_zygote_is_replaced(tmp_path: Path) -> None:
    path = written(tmp_path, "a.txt", "some words")
    read(path)
    before = zygote()
    before.send_signal(signal.SIGKILL)
    assert read(path).text_chars == 10
    assert zygote().pid != before.pid


def test_four_threads_at_once_get_each_their_own_file(tmp_path: Path) -> None:
    paths = [written(tmp_path, f"{number}.txt", f"file number {number} " * (number + 1)) for number in range(60)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(read, paths))
    for number, result in enumerate(results):
        assert result.drafts[0].text.startswith(f"file number {number} ".strip())
    zygotes = [child for child in psutil.Process().children() if "app.library.pipeline.fork_server" in child.cmdline()]
    assert zygotes == [zygote()]


def test_a_bomb_is_refused_by_name_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.docx"
    types = "wordprocessingml.document.main+xml"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", types)
        with archive.open("word/document.xml", "w") as part:
            for _ in range(300):
                part.write(b" " * MEBIBYTE)
    assert path.stat().st_size < MEBIBYTE
    assert failure(path).code == "file_too_complex"


def test_the_child_knows_no_environment_of_its_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFDESK_SECRET_OF_THE_TEST", "canary")
    if sandbox._zygote.process is not None:
        sandbox._zygote.forget(sandbox._zygote.process)
    read(written(tmp_path, "a.txt", "words"))
    assert "canary" not in str(zygote().environ())


def test_the_zygote_ends_with_its_parent(tmp_path: Path) -> None:
    path = written(tmp_path, "a.txt", "words")
    program = (
        "import os, sys; from pathlib import Path; from app.library.pipeline import sandbox;"
        f"sandbox.parse_and_chunk(Path({str(path)!r}), 'a.txt', max_tokens=254);"
        "print(sandbox._zygote.process.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    found = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, check=False, text=True
    )
    assert found.returncode == -signal.SIGKILL
    pid = int(found.stdout)
    wait_until(lambda: start_time(pid) is None, limit_s=30, what="the zygote ends with its parent")


def test_a_small_file_costs_little(tmp_path: Path) -> None:
    path = written(tmp_path, "a.md", "# Title\n\n" + "Some words of a paragraph, and some more.\n\n" * 40)
    read(path)
    process = zygote()
    before = process.cpu_times()
    for _ in range(50):
        read(path)
    after = process.cpu_times()
    used = sum(after[:4]) - sum(before[:4])
    # Measured 8 to 10 ms on two busy cores; the budget of the whole ingest is 20.
    assert used / 50 < 0.03
