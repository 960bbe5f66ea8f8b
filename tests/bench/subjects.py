"""What is measured: brokers and the floor, each a process with a port and a directory of its own; and the load."""

import json
import pathlib
import shutil
import subprocess
import time

from brokers import Broker, Reference
from drivers import free_port
from process import cpu_seconds, others_busy_seconds, resident_mb

LOAD_SECONDS_MAX = 180


class Failure(Exception):
    """A load did not go as it should."""


class Subject:
    """A broker under a name."""

    def __init__(self, name, make):
        self.name, self.make, self.broker = name, make, None

    def start(self):
        self.broker = self.make()
        self.broker.directory.mkdir(parents=True, exist_ok=True)
        self.broker.start()

    def stop(self):
        if self.broker is not None:
            self.broker.stop()
            shutil.rmtree(self.broker.directory, ignore_errors=True)
            self.broker = None

    @property
    def address(self):
        return self.broker.address

    @property
    def pid(self):
        return self.broker.pid


class Floor:
    """The minimal program that a broker is measured against."""

    def __init__(self, binary, directory, syncs):
        self.binary, self.directory = binary, pathlib.Path(directory)
        self.address = f"127.0.0.1:{free_port()}"
        self.arguments = ["--sync"] if syncs else []
        self.pid = None

    def start(self):
        command = [self.binary, self.address, self.directory, *self.arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()  # it listens
        self.pid = self.process.pid

    def stop(self):
        self.process.kill()
        self.process.wait()


def make_subjects(options, folder):
    flush = ["log.flush.interval.messages=1"]
    subjects = [
        Subject("milena", lambda: Broker(options.broker, folder / "os", ["log.flush.policy=os"])),
        Subject("milena synced", lambda: Broker(options.broker, folder / "ack")),
        Subject("floor", lambda: Floor(options.floor, folder / "floor", syncs=False)),
        Subject("floor synced", lambda: Floor(options.floor, folder / "floor-synced", syncs=True)),
    ]
    if not options.without_kafka:
        subjects += [
            Subject("kafka", lambda: Reference(folder / "kafka")),
            Subject("kafka flushing", lambda: Reference(folder / "kafka-flushing", flush)),
        ]
    return {subject.name: subject for subject in subjects}


class Generator:
    """Runs loads against a subject and adds what they took of it."""

    def __init__(self, milena, scale):
        self.milena, self.scale = milena.resolve(), scale

    def bench(self, subject, *arguments):
        """One `milena bench`, with the broker's part in it."""
        return self.around(subject, [self.milena, "bench", *map(str, arguments), "-b", subject.address, "--json"])

    def around(self, subject, command):
        """Any program that prints one JSON object at last."""
        cpu, others, begun = cpu_seconds(subject.pid), others_busy_seconds(), time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, timeout=LOAD_SECONDS_MAX)
        if done.returncode:
            raise Failure(f"{command} against {subject.name} failed: {done.stderr.strip() or done.stdout.strip()}")
        figure = json.loads(done.stdout.strip().splitlines()[-1])
        wall = time.monotonic() - begun
        figure["broker_cpu_s"] = cpu_seconds(subject.pid) - cpu
        figure["others_share"] = max(0.0, others_busy_seconds() - others - figure["broker_cpu_s"]) / wall
        figure["rss_mb"] = resident_mb(subject.pid)
        figure["rss_peak_mb"] = resident_mb(subject.pid, "VmHWM")
        return figure

    def start(self, subject, *arguments):
        """A load that runs beside another one."""
        command = [self.milena, "bench", *map(str, arguments), "-b", subject.address, "--json"]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def topic(self, subject, verb, name, *more):
        if not isinstance(subject.broker, Floor):
            command = [self.milena, "topic", verb, name, "-b", subject.address, *more]
            subprocess.run(command, check=True, capture_output=True)
