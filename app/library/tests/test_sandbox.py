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
from uuid import UUID, uuid4

import psutil
import pytest

from app.embedded.process import start_time
from app.library.parsers import parse
from app.library.parsers.blocks import ParseError, blocks_to_json
from app.library.parsers.detect import detect_media_type
from app.library.parsers.limits import DEFAULT, MEBIBYTE, Limits
from app.library.pipeline import fork_server as fork_server_module
from app.library.pipeline import sandbox
from app.library.pipeline.sandbox import ParsedChunks, parse_and_chunk
from tests.waiting import wait_until

# A file that takes tens of seconds to read, in little memory.
SLOW = "<div>" * 200_000


def read(path: Path, limits: Limits = DEFAULT, should_stop: Callable[[], bool] | None = None) -> ParsedChunks:
    return parse_and_chunk(path, path.name, max_tokens=254, limits=limits, should_stop=should_stop)


def failure(path: Path, limits: Limits = DEFAULT, should_stop: Callable[[], bool] | None = None) -> ParseError:
    with pytest.raises(ParseError) as caught:
        read(path, limits, should_stop)
    return caught.value


def fork_server() -> psutil.Process:
    process = sandbox.fork_server.process
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
    assert [draft.text for draft in result.drafts] == ["Title\n\nSome words.\n\na | b\na: 1; b: 2"]
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
    # Otherwise the child that has just read it may be the one that is killed.
    wait_until(lambda: not fork_server().children(), limit_s=30)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(failure, path)
        child = _first_child(fork_server())
        child.send_signal(signal.SIGKILL)
        assert waiting.result(timeout=60).code in ("parse_crashed", "parse_memory")


def _first_child(process: psutil.Process) -> psutil.Process:
    return wait_until(process.children, limit_s=30, what="a child")[0]


def test_stopping_kills_the_child_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, "a.html", SLOW)
    begin = time.monotonic()
    assert failure(path, should_stop=lambda: time.monotonic() - begin > 0.5).code == "cancelled"
    assert time.monotonic() - begin < 6  # a tenth of the time for the whole file
    wait_until(lambda: not fork_server().children(), limit_s=30)


def test_a_dead_fork_server_is_replaced(tmp_path: Path) -> None:
    path = written(tmp_path, "a.txt", "some words")
    read(path)
    before = fork_server()
    before.send_signal(signal.SIGKILL)
    assert read(path).text_chars == 10
    assert fork_server().pid != before.pid


def test_four_threads_at_once_get_each_their_own_file(tmp_path: Path) -> None:
    paths = [written(tmp_path, f"{number}.txt", f"file number {number} " * (number + 1)) for number in range(60)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(read, paths))
    for number, result in enumerate(results):
        assert result.drafts[0].text.startswith(f"file number {number} ".strip())
    servers = [child for child in psutil.Process().children() if "app.library.pipeline.fork_server" in child.cmdline()]
    assert servers == [fork_server()]


def child_of(path: Path, organisation: UUID) -> psutil.Process:
    """Read a file of an organisation; return the child that read it: a new one, or the newest existing one."""
    result = parse_and_chunk(path, path.name, max_tokens=254, organisation=organisation)
    assert path.read_text().startswith(result.drafts[0].text)
    return max(fork_server().children(), key=lambda child: child.create_time())


def test_small_files_of_one_organisation_are_read_by_one_child(tmp_path: Path) -> None:
    read(written(tmp_path, "warm.txt", "warm"))
    ours, theirs = uuid4(), uuid4()
    pids = [child_of(written(tmp_path, f"{number}.txt", f"words {number}"), ours).pid for number in range(3)]
    assert len(set(pids)) == 1
    assert child_of(written(tmp_path, "other.txt", "other words"), theirs).pid != pids[0]


def test_a_child_reads_so_many_files_and_no_more(tmp_path: Path) -> None:
    read(written(tmp_path, "warm.txt", "warm"))
    path, ours = written(tmp_path, "a.txt", "words"), uuid4()
    pids = [child_of(path, ours).pid for _ in range(sandbox.FILES_OF_A_CHILD - 1)]
    assert len(set(pids)) == 1
    parse_and_chunk(path, path.name, max_tokens=254, organisation=ours)
    assert child_of(path, ours).pid != pids[0]


def test_an_idle_child_ends_soon_and_the_next_file_is_read_all_the_same(tmp_path: Path) -> None:
    read(written(tmp_path, "warm.txt", "warm"))
    path, ours = written(tmp_path, "a.txt", "words"), uuid4()
    first = child_of(path, ours)
    first.send_signal(signal.SIGKILL)
    second = child_of(path, ours)
    assert second.pid != first.pid
    wait_until(lambda: not second.is_running(), limit_s=30, what="the idle child ends")
    assert child_of(path, ours).pid != second.pid


def test_what_a_file_does_to_a_child_that_stays_is_told_and_ends_it(tmp_path: Path) -> None:
    read(written(tmp_path, "warm.txt", "warm"))
    good, ours = written(tmp_path, "good.txt", "words"), uuid4()
    first = child_of(good, ours)
    slow = written(tmp_path, "slow.html", SLOW)
    assert slow.stat().st_size < sandbox.SMALL_BYTES
    begin = time.monotonic()
    with pytest.raises(ParseError) as caught:
        parse_and_chunk(
            slow, "slow.html", max_tokens=254, organisation=ours, should_stop=lambda: time.monotonic() - begin > 0.5
        )
    assert caught.value.code == "cancelled"
    wait_until(lambda: not first.is_running() or first.status() == psutil.STATUS_ZOMBIE, limit_s=30)
    assert child_of(good, ours).pid != first.pid


def test_the_numbers_of_both_sides_are_the_same() -> None:
    names = ("FILES_OF_A_CHILD", "NEXT_FILE_S")
    assert [getattr(sandbox, name) for name in names] == [getattr(fork_server_module, name) for name in names]


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
    if sandbox.fork_server.process is not None:
        sandbox.fork_server.forget(sandbox.fork_server.process)
    read(written(tmp_path, "a.txt", "words"))
    assert "canary" not in str(fork_server().environ())


def test_the_fork_server_ends_with_its_parent(tmp_path: Path) -> None:
    path = written(tmp_path, "a.txt", "words")
    program = (
        "import os, sys; from pathlib import Path; from app.library.pipeline import sandbox;"
        f"sandbox.parse_and_chunk(Path({str(path)!r}), 'a.txt', max_tokens=254);"
        "print(sandbox.fork_server.process.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    found = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, check=False, text=True
    )
    assert found.returncode == -signal.SIGKILL
    pid = int(found.stdout)
    wait_until(lambda: start_time(pid) is None, limit_s=30, what="the fork server ends with its parent")


def test_a_small_file_costs_little(tmp_path: Path) -> None:
    path = written(tmp_path, "a.md", "# Title\n\n" + "Some words of a paragraph, and some more.\n\n" * 40)
    read(path)
    process = fork_server()
    before = process.cpu_times()
    for _ in range(50):
        read(path)
    after = process.cpu_times()
    used = sum(after[:4]) - sum(before[:4])
    # Measured: 8 to 10 ms on two busy cores; the budget of the whole ingest is 20 ms.
    assert used / 50 < 0.03
