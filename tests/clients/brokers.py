"""The broker under test: started, restarted and killed as one process with a port and a directory of its own."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import time

from drivers import HERE, INSTALLED, free_port

START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 60
DUMP_TOOL_NAME = "DumpLogSegments"
DUMP_TOOL = INSTALLED / "kafka-tools/lib"
DUMPED = (".log", ".index", ".timeindex", ".snapshot")
DUMPED_AT_ONCE = 100  # folders whose files fit into one argument


class Fault(Exception):
    """Kafka's dump tool found fault with the files."""


class Broker:
    """Milena, from a binary."""

    name = "milena"
    dumped = re.compile(r".+-\d+")

    def __init__(self, binary, directory, settings=()):
        self.binary, self.directory = pathlib.Path(binary).resolve(), pathlib.Path(directory)
        self.settings = settings
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.data = self.directory / "data"
        self.pid = None

    def start(self):
        options = [f"listeners=PLAINTEXT://{self.address}", f"log.dirs={self.data}", *self.settings]
        with open(self.directory / "broker.log", "ab") as log:
            command = [self.binary, "serve", *(part for option in options for part in ("--set", option))]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.pid = self.process.pid
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            if self.process.poll() is not None:
                raise RuntimeError(f"the broker ended at once; see {self.directory}/broker.log")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    self.stop(signal.SIGKILL)
                    raise
                time.sleep(0.002)  # a start takes some 20 ms

    def stop(self, how=signal.SIGTERM):
        if self.pid is None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise RuntimeError(f"the broker did not stop in {STOP_SECONDS_MAX} s") from None
        finally:
            self.pid = None


class Reference:
    """Apache Kafka, by the scripts in tests/reference."""

    name = "Apache Kafka"
    dumped = re.compile(r"(?!__cluster_metadata).+-\d+")  # which it leaves without its index when it is killed
    scripts = HERE.parent / "reference"

    def __init__(self, directory, settings=()):
        self.directory = pathlib.Path(directory)
        self.settings = settings
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.data = self.directory / "data"
        self.pid = None

    def start(self):
        subprocess.run([self.scripts / "start.sh", str(self.port), self.directory, *self.settings], check=True)
        self.pid = int((self.directory / "pid").read_text())

    def stop(self, how=signal.SIGTERM):
        if self.pid is not None:
            subprocess.run([self.scripts / "stop.sh", self.directory, str(how.value)], check=True)
            self.pid = None


def broker_of(arguments, directory, settings=()):
    """The broker that `--reference` or `--broker` asks for."""
    os.makedirs(directory, exist_ok=True)
    if arguments.reference:
        return Reference(directory, settings)
    return Broker(arguments.broker, directory, settings)


def dump(folders):
    """Kafka's DumpLogSegments over partitions' folders; answers the number of segments."""
    segments = 0
    for some in (folders[i : i + DUMPED_AT_ONCE] for i in range(0, len(folders), DUMPED_AT_ONCE)):
        files = sorted(f for folder in some for f in folder.iterdir() if f.suffix in DUMPED)
        done = subprocess.run(
            [Reference.scripts / "dump.sh", *files], capture_output=True, text=True, env=os.environ | {"QUIET": "1"}
        )
        if done.returncode != 0:
            raise Fault(f"{done.stdout[-1500:]}{done.stderr[-500:]}")
        segments += sum(f.suffix == ".log" for f in files)
    if segments == 0:
        raise Fault("no segments")
    return segments
