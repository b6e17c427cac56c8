"""A server of one's own: the bundled binary over a data directory."""

from __future__ import annotations

import atexit
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time

from .errors import InvalidArgument, Unavailable

START_SECONDS = 120.0
STOP_SECONDS = 60.0


def find_binary(given: str | os.PathLike[str] | None = None) -> str:
    """The server: as given, as LATENTDB_BINARY names it, the one installed beside this package, or
    the first on the path.

    Raises:
        InvalidArgument: saying where it was looked for.
    """
    named = given or os.environ.get("LATENTDB_BINARY")
    if named:
        if not os.access(named, os.X_OK):
            raise InvalidArgument(f"is {str(named)!r}, which is no program", field="binary")
        return str(named)
    name = "latentdb.exe" if sys.platform == "win32" else "latentdb"
    beside = pathlib.Path(sysconfig.get_path("scripts"), name)
    if beside.is_file():
        return str(beside)
    found = shutil.which(name)
    if found is None:
        raise InvalidArgument(
            f"is not installed: neither {beside} nor on the path; pip install latentdb, or name the "
            "program with binary= or LATENTDB_BINARY",
            field="the server",
        )
    return found


class LocalServer:
    """A running server, on a free port where none is said, which ends with this program. It fetches
    pinned models and those of the hub; `arguments` are further flags of `latentdb serve`."""

    def __init__(
        self,
        data: str | os.PathLike[str],
        *,
        binary: str | os.PathLike[str] | None = None,
        listen: str = "127.0.0.1:0",
        arguments: tuple[str, ...] = (),
    ) -> None:
        self.data = pathlib.Path(data)
        self._folder = tempfile.TemporaryDirectory(prefix="latentdb-")
        self._log = pathlib.Path(self._folder.name, "server.log")
        ready = pathlib.Path(self._folder.name, "ready")
        command = [
            *(find_binary(binary), "serve", "--data", str(self.data)),
            *("--listen", listen, "--ready-file", str(ready), "--allow-downloads"),
            *arguments,
        ]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )
        atexit.register(self.stop)
        until = time.monotonic() + START_SECONDS
        while not ready.exists():
            ended = self._process.poll() is not None
            if ended or time.monotonic() > until:
                said = self._log.read_text(errors="replace").strip()
                self.stop()
                what = "ended at its start" if ended else "does not get ready"
                raise Unavailable(f"the server over {self.data} {what}: {said}")
            time.sleep(0.02)
        self.address = ready.read_text().strip()

    def stop(self) -> None:
        """Ends the server; what was acknowledged is on disk."""
        atexit.unregister(self.stop)
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        with contextlib.suppress(OSError):
            self._folder.cleanup()
