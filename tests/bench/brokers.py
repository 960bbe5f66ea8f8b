"""The brokers that are measured: how each is started and stopped, and what the system says of its process."""

import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
REFERENCE = HERE.parent / "reference"
TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Broker:
    """A running broker. `pid` is the process whose CPU time and memory are read."""

    def __init__(self, name):
        self.name = name
        self.port = free_port()
        self.folder = tempfile.TemporaryDirectory(prefix="milena-bench-")
        self.pid = None

    @property
    def bootstrap(self):
        return f"127.0.0.1:{self.port}"

    def cpu_seconds(self):
        """User and system time of the process so far."""
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident_mb(self, which="VmRSS"):
        """Resident memory now (`VmRSS`) or at its highest (`VmHWM`), in MB."""
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(which + ":"):
                return int(line.split()[1]) * 1024 / 1e6
        return 0.0

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        self.folder.cleanup()


class Milena(Broker):
    def __init__(self, binary, name="milena", settings=()):
        super().__init__(name)
        self.binary = binary
        self.settings = settings
        self.process = None

    def start(self):
        command = [self.binary, "serve", "--set", f"listeners=PLAINTEXT://127.0.0.1:{self.port}",
                   "--set", f"log.dirs={self.folder.name}/data"]
        for setting in self.settings:
            command += ["--set", setting]
        log = open(pathlib.Path(self.folder.name) / "log", "wb")
        self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        log.close()
        self.pid = self.process.pid
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        self.stop()
        text = (pathlib.Path(self.folder.name) / "log").read_text(errors="replace")
        raise SystemExit(f"{self.name} did not start:\n{text}")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Kafka(Broker):
    def __init__(self, name="apache kafka", settings=()):
        super().__init__(name)
        self.settings = settings

    def start(self):
        subprocess.run([REFERENCE / "start.sh", str(self.port), self.folder.name, *self.settings], check=True)
        self.pid = int((pathlib.Path(self.folder.name) / "pid").read_text())

    def stop(self):
        subprocess.run([REFERENCE / "stop.sh", self.folder.name], check=False)
