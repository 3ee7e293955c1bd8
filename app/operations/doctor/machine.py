"""Checks of a machine, whether or not Refdesk is installed on it: standard library only."""

import ctypes
import os
import platform
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from app import env
from app.embedded.box import ROOT, Box
from app.embedded.ports import port_is_free
from app.operations.doctor.findings import Check, Finding, ok, problem, warning

MB, GB = 10**6, 10**9
PYTHONS = ((3, 11), (3, 13))
# 0.7 GB when idle and one large PDF; the rest is PostgreSQL's cache.
MEMORY_LEAST, MEMORY_WELL = int(0.9 * GB), int(1.9 * GB)
# Just above the reserve below which uploads are refused (app/lib/storage/staging.py).
DISK_LEAST, DISK_WELL = 600 * MB, 5 * GB
# Processor features that the packages' programs need: x86-64-v2. With AVX2 the embedding model is several times as
# fast.
CPU_NEEDED, CPU_WELL = frozenset({"sse4_2", "ssse3", "popcnt"}), "avx2"
GLIBC = (2, 28)
CLOCK_UNSYNCHRONISED = 5
NAMES = ("python", "system", "processor", "memory", "disk", "data folder", "clock", "port")


def python_check() -> Iterator[Finding]:
    version, text = sys.version_info[:2], platform.python_version()
    if PYTHONS[0] <= version <= PYTHONS[1]:
        yield ok("python", text)
    else:
        yield problem("python", f"{text}, and Refdesk needs 3.11, 3.12 or 3.13", "Install one of those.")


def system_check() -> Iterator[Finding]:
    kind, version = platform.libc_ver()
    here = f"{platform.system()} {platform.machine()}, {kind or 'no glibc'} {version}".strip()
    if platform.system() != "Linux":
        yield problem("system", here, "Refdesk runs on Linux; elsewhere in a container or a virtual machine.")
    elif kind != "glibc" or tuple(int(part) for part in version.split(".")[:2]) < GLIBC:
        yield problem("system", here, "The engines need glibc 2.28 or newer: Debian 10, Ubuntu 18.10, RHEL 8 or later.")
    else:
        yield ok("system", here)


def processor_check() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0))
    here = f"{cores} core{'s' if cores > 1 else ''}"
    if platform.machine() not in ("x86_64", "AMD64"):
        yield ok("processor", f"{here}, {platform.machine()}")
        return
    flags = _cpu_flags()
    lacking = sorted(CPU_NEEDED - flags)
    if lacking:
        yield problem(
            "processor",
            f"{here}, without {', '.join(lacking)}",
            "The engines need x86-64-v2 (2009 or later). In a virtual machine choose the processor type host.",
        )
    elif CPU_WELL not in flags:
        yield warning(
            "processor",
            f"{here}, without AVX2: embedding is slow",
            "In a virtual machine choose the processor type host.",
        )
    else:
        yield ok("processor", f"{here}, AVX2")


def _cpu_flags() -> set[str]:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("flags"):
            return set(line.partition(":")[2].split())
    return set()


def memory_check() -> Iterator[Finding]:
    total, free = memory_here()
    text = f"{total / GB:.1f} GB, {free / GB:.1f} GB of it free"
    if total < MEMORY_LEAST:
        yield problem("memory", text, "Refdesk needs 1 GB, and a language model beside it more.")
    elif total < MEMORY_WELL:
        yield warning("memory", text, "2 GB leave room for large files; a language model needs more.")
    else:
        yield ok("memory", text)


def memory_here() -> tuple[int, int]:
    """Return total and free bytes of memory, of the machine or of the container if that has less."""
    facts = {}
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, rest = line.partition(":")
        facts[name] = int(rest.split()[0]) * 1024
    total, free = facts["MemTotal"], facts["MemAvailable"]
    try:
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text())
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
    except (OSError, ValueError):
        return total, free
    return min(total, limit), min(free, max(0, limit - used))


def data_folder() -> Path:
    return Path(env.read("REFDESK_DATA")).expanduser().resolve()


def _existing(folder: Path) -> Path:
    return next(each for each in (folder, *folder.parents) if each.exists())


def disk_check() -> Iterator[Finding]:
    folder = _existing(data_folder())
    usage = os.statvfs(folder)
    free, files = shutil.disk_usage(folder).free, usage.f_favail
    text = f"{free / GB:.1f} GB free in {folder}"
    if free < DISK_LEAST:
        yield problem("disk", text, "Make room: uploads are refused below 0.5 GB, and the database stops at nothing.")
    elif usage.f_files and files < 10_000:
        yield problem(
            "disk", f"{files} files can still be made in {folder}", "Remove files: the disk has no inodes left."
        )
    elif free < DISK_WELL:
        yield warning("disk", text, "Make room soon, or set REFDESK_DATA to a larger disk.")
    else:
        yield ok("disk", text)


def folder_check() -> Iterator[Finding]:
    folder = data_folder()
    if not folder.exists():
        above = _existing(folder)
        if above.is_dir() and os.access(above, os.W_OK | os.X_OK):
            yield ok("data folder", f"{folder} is made at the first start")
        else:
            yield problem(
                "data folder",
                f"{above} cannot be written by this user",
                "Give it to the user that runs Refdesk, or set REFDESK_DATA to another folder.",
            )
        return
    facts = folder.stat()
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        yield problem(
            "data folder",
            f"{folder} is not a folder that this user may write",
            "Run as the user that runs Refdesk, or give it the folder.",
        )
    elif Box(folder).unfinished.exists():
        yield problem(
            "data folder", f"a restore into {folder} was cut short", "Run scripts/restore with the same backup again."
        )
    elif facts.st_uid != os.geteuid():
        yield warning(
            "data folder",
            f"{folder} belongs to the user with number {facts.st_uid}, and this is {os.geteuid()}",
            "Run Refdesk's commands as that user.",
        )
    elif opened := _open_secrets(folder):
        yield problem("data folder", f"{opened} can be read by others", f"chmod -R go= {folder}")
    else:
        yield ok("data folder", str(folder))


def _open_secrets(folder: Path) -> Path | None:
    """Return a secret that other users of this machine can read, else None."""
    if folder.stat().st_mode & stat.S_IXOTH == 0 == folder.stat().st_mode & stat.S_IXGRP:
        return None
    secrets = [*folder.glob("secrets/*"), *folder.glob("postgres/*.password"), folder / "run" / "environment.json"]
    return next((path for path in secrets if path.exists() and path.stat().st_mode & 0o077), None)


def clock_check() -> Iterator[Finding]:
    now, newest = time.time(), max(path.stat().st_mtime for path in (ROOT / "pyproject.toml", ROOT / "manage.py"))
    text = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now < newest - 24 * 3600:
        yield problem("clock", f"{text} is before Refdesk was installed", "Set the clock, and let NTP keep it.")
    elif _clock_state() == CLOCK_UNSYNCHRONISED:
        yield warning(
            "clock",
            f"{text}, kept by nobody",
            "Turn on NTP (timedatectl set-ntp true), or be sure that the "
            "host does: sign-in by OIDC and S3 fail when clocks differ.",
        )
    else:
        # A container may not be permitted to read the state.
        yield ok("clock", text if _clock_state() < 0 else f"{text}, kept by NTP")


def _clock_state() -> int:
    """Return the kernel's state of its clock: 5 when nothing synchronises it, below 0 when it cannot be read."""
    # struct timex with its first field 0: read only.
    return int(ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(256)))


def port_check() -> Iterator[Finding]:
    host, port = str(env.read("REFDESK_HOST")), int(env.read("REFDESK_PORT"))
    running = Box(data_folder()).running()
    try:
        free = port_is_free(host, port)
    except OSError as error:
        yield problem(
            "port",
            f"REFDESK_HOST={host} cannot be listened on: {error.strerror}",
            "Name one of this machine's addresses, or 0.0.0.0 for all.",
        )
        return
    if running:
        yield ok("port", f"Refdesk (pid {running.pid}) at {running.address}")
    elif free:
        yield ok("port", f"{port} on {host} is free")
    else:
        yield problem(
            "port", f"{port} on {host} is taken by another program", f"Stop that, or set REFDESK_PORT={port + 1}."
        )


def programs_check() -> Iterator[Finding]:
    """Check the engines' own code in a process that may crash."""
    code = "import numpy, onnxruntime, qdrant_edge, psycopg, django"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    if done.returncode < 0:
        yield problem(
            "packages",
            f"a package dies here (signal {-done.returncode})",
            "This processor is too old for it, or a download was damaged: remove .venv and run scripts/start.",
        )
    elif done.returncode:
        said = done.stderr.strip().splitlines()[-1:]
        yield problem("packages", "".join(said), "scripts/start installs what is missing.")
    else:
        yield ok("packages", "they load")


CHECKS: dict[str, Check] = {
    "python": python_check,
    "system": system_check,
    "processor": processor_check,
    "memory": memory_check,
    "disk": disk_check,
    "data folder": folder_check,
    "clock": clock_check,
    "port": port_check,
    "packages": programs_check,
}
