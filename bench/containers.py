"""How fast mails, data formats and archives are read, beside the bare libraries in the same run.

    python -m bench.containers [--megabytes 8] [--folder FOLDER]

Bare: the library parses the file and every text in it is taken once (mail: the standard library's e-mail package with
its default policy, body and attachments decoded; JSON: the standard library, each value as text; XML: lxml and its
texts; zip: each file read). Ours: blocks with their places, table rows with names; of mails and archives with the
listing. Members: the bytes of all files through the confined child. CPU seconds of the better of three runs.
--folder: also the median CPU time of each format's small files there.
"""

import argparse
import base64
import gc
import io
import json
import os
import random
import statistics
import tempfile
import time
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

from lxml import etree

from app.library.parsers import parse
from app.library.parsers.blocks import ParseError
from app.library.parsers.detect import detect_media_type
from app.library.parsers.media import EML, JSON, JSONL, MSG, SRT, VTT, XML, ZIP
from app.library.pipeline.member_reader import members_read

MEBIBYTE = 1024 * 1024
RUNS = 3
SMALL_BYTES = 64 * 1024
FORMATS = (EML, MSG, JSON, JSONL, XML, SRT, VTT, ZIP)
_WORDS = ["harbour", "berth", "crane", "ferry", "depot", "lease", "pier", "winter", "barge", "anchor"]


def record(number: int) -> dict[str, Any]:
    words = " ".join(random.choices(_WORDS, k=12))
    return {
        "id": number,
        "place": {"city": random.choice(_WORDS), "berth": number % 97},
        "price": number * 7,
        "text": words,
    }


def records(size: int) -> list[dict[str, Any]]:
    return [record(number) for number in range(size // 170)]


def make_json(size: int) -> bytes:
    return json.dumps(records(size)).encode()


def make_lines(size: int) -> bytes:
    return "\n".join(json.dumps(each) for each in records(size)).encode()


def make_xml(size: int) -> bytes:
    rows = (
        f'<row id="{each["id"]}"><city>{each["place"]["city"]}</city><price>{each["price"]}</price>'
        f"<text>{each['text']}</text></row>"
        for each in records(size)
    )
    return f"<rows>{''.join(rows)}</rows>".encode()


def make_mail(size: int) -> bytes:
    """Return a message with a text of some pages and attachments of the rest."""
    text = "\n\n".join(" ".join(random.choices(_WORDS, k=60)) for _ in range(200))
    parts = [f"Content-Type: text/plain\n\n{text}\n"]
    for number in range(4):
        data = base64.encodebytes(os.urandom(size // 6)).decode()
        head = f"Content-Type: application/octet-stream; name={number}.bin\nContent-Transfer-Encoding: base64"
        parts.append(f"{head}\n\n{data}")
    head = "From: a@example.org\nTo: b@example.org\nMessage-ID: <1@x>\nSubject: Test\n"
    body = "".join(f"--b\n{part}" for part in parts)
    return f'{head}Content-Type: multipart/mixed; boundary="b"\n\n{body}--b--\n'.encode()


def make_zip(size: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for number in range(20):
            words = " ".join(random.choices(_WORDS, k=size // 140))
            packed.writestr(f"{number}.txt", words)
    return file.getvalue()


def leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    else:
        yield str(value)


def bare_json(path: Path) -> int:
    return sum(map(len, leaves(json.loads(path.read_bytes()))))


def bare_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(len(text) for line in file for text in leaves(json.loads(line)))


def bare_xml(path: Path) -> int:
    root = etree.fromstring(path.read_bytes(), etree.XMLParser(resolve_entities=False))
    return sum(len(text) for element in root.iter() for text in (element.text or "", *element.attrib.values()))


def bare_mail(path: Path) -> int:
    message: Any = message_from_bytes(path.read_bytes(), policy=default)
    body = message.get_body(preferencelist=("plain", "html")).get_content()
    return len(body) + sum(len(part.get_content()) for part in message.iter_attachments()) + len(message["subject"])


def bare_zip(path: Path) -> int:
    with zipfile.ZipFile(path) as packed:
        return sum(len(packed.read(entry)) for entry in packed.infolist())


def ours(path: Path) -> int:
    return len(parse(path, detect_media_type(path, path.name)).blocks)


def members(path: Path) -> int:
    media_type = detect_media_type(path, path.name)
    return sum(len(member.stream.read()) for member in members_read(path, media_type))


def seconds(read: Callable[[Path], int], path: Path) -> float:
    """Return the better time of a few runs; of members the wall time, since a child does the work."""
    best = float("inf")
    for _ in range(RUNS):
        clock = time.perf_counter if read is members else time.process_time
        begun = clock()
        read(path)
        best = min(best, clock() - begun)
    return best


def small_files(folder: Path) -> None:
    times: dict[str, list[float]] = defaultdict(list)
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or not 0 < path.stat().st_size <= SMALL_BYTES:
            continue
        try:
            media_type = detect_media_type(path, path.name)
            if media_type not in FORMATS:
                continue
            begun = time.process_time()
            parse(path, media_type)
        except ParseError:
            continue
        times[media_type].append((time.process_time() - begun) * 1000)
    for media_type, found in sorted(times.items()):
        shown = f"median {statistics.median(found):5.1f} ms  most {max(found):5.1f} ms"
        print(f"{media_type:30} {len(found):4} files  {shown}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--megabytes", type=int, default=8)
    options.add_argument("--folder", type=Path)
    arguments = options.parse_args()
    random.seed(7)
    # As in the child that reads files (app/library/pipeline/fork_server.py).
    gc.set_threshold(100_000, 20, 20)
    size = arguments.megabytes * MEBIBYTE
    cases: tuple[tuple[str, Callable[[int], bytes], Callable[[Path], int]], ...] = (
        ("a.json", make_json, bare_json),
        ("a.jsonl", make_lines, bare_lines),
        ("a.xml", make_xml, bare_xml),
        ("a.eml", make_mail, bare_mail),
        ("a.zip", make_zip, bare_zip),
    )
    with tempfile.TemporaryDirectory() as folder:
        for name, make, bare in cases:
            path = Path(folder) / name
            path.write_bytes(make(size))
            megabytes = path.stat().st_size / MEBIBYTE
            base, own = seconds(bare, path), seconds(ours, path)
            line = (
                f"{name:8} {megabytes:5.1f} MiB  bare {megabytes / base:7.1f} MiB/s  ours {megabytes / own:7.1f} MiB/s"
            )
            line += f"  ratio {base / own:5.2f}"
            if name in ("a.eml", "a.zip"):
                line += f"  members {megabytes / seconds(members, path):7.1f} MiB/s"
            print(line)
    if arguments.folder:
        small_files(arguments.folder)


if __name__ == "__main__":
    main()
