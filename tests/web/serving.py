"""A server of the binary under test over a copy of the demo's data, and its command line."""

import os
import pathlib
import shutil
import signal
import subprocess
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("LATENTDB_BINARY", REPOSITORY / "target/debug/latentdb"))
# How long a step may take before a test gives up on it; nothing is measured by it.
PATIENCE = 60.0


def cache() -> pathlib.Path:
    """Where the demo's collection lies; as the server finds it."""
    if named := os.environ.get("LATENTDB_CACHE"):
        return pathlib.Path(named)
    general = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(general) / "latentdb"


def demo_data() -> pathlib.Path:
    """The data folder that `latentdb demo` makes once."""
    data = cache() / "demo"
    if not (data / "collections").is_dir():
        subprocess.run([BINARY, "demo"], check=True, stdout=subprocess.DEVNULL)
    return data


class Server:
    """A server that can be stopped and started again at the same address."""

    def __init__(self, data: pathlib.Path, *flags: str):
        self.data = data
        self.flags = flags
        self.address = "127.0.0.1:0"
        self.process: subprocess.Popen | None = None

    def start(self):
        ready = self.data.parent / f"{self.data.name}.ready"
        ready.unlink(missing_ok=True)
        log = (self.data.parent / f"{self.data.name}.log").open("a")
        command = [BINARY, "serve", "--data", self.data, "--listen", self.address]
        command += ["--models", self.data.parent, "--allow-downloads"]
        self.process = subprocess.Popen(
            [*command, "--ready-file", ready, *self.flags], stdout=log, stderr=log
        )
        end = time.monotonic() + PATIENCE
        while not (ready.exists() and (said := ready.read_text().strip())):
            assert self.process.poll() is None, f"the server ended; see {log.name}"
            assert time.monotonic() < end, "the server is not ready"
            time.sleep(0.02)
        self.address = said
        return self

    def stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def run(self, *words: str, key: str = "", stdin: str | None = None) -> str:
        """What a command against this server prints."""
        environment = {**os.environ, "LATENTDB_SERVER": self.address}
        if key:
            environment["LATENTDB_API_KEY"] = key
        done = subprocess.run(
            [BINARY, *words], env=environment, input=stdin, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def url(self, hash: str = "") -> str:
        return f"http://{self.address}/{'#' + hash if hash else ''}"


def copied_demo(folder: pathlib.Path) -> pathlib.Path:
    """A copy of the demo's data in a folder."""
    return pathlib.Path(shutil.copytree(demo_data(), folder / "data"))
