#!/usr/bin/env python3
"""Four times the load that a broker can sustain, for as long as told, in 512 MB of memory.

Has consumers read old records over and over, and doubles the producers beside them for as long as more is taken. That is the
load it can sustain; then four times as many produce. In the end the first number is measured again, as disks change their
speed over an hour. Tells how much of the greatest rate is left, and how much memory the broker had. It runs in a memory
cgroup of its own where one can be made (root; version 1 or 2), which the system enforces; elsewhere only its resident memory
is watched. Ends with 1 if the broker ended, or had more memory than it may.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time


def main():
    options = parse()
    root = pathlib.Path(tempfile.mkdtemp(prefix="milena-overload-", dir=options.dir))
    group = Group.make(options.limit_mb << 20)
    print(f"memory is limited by {group.kind}", flush=True)
    broker = subprocess.Popen(
        [options.broker, "serve", "--set", f"listeners=PLAINTEXT://127.0.0.1:{options.port}"]
        + ["--set", f"log.dirs={root / 'data'}"]
        + [word for setting in SETTINGS + options.set for word in ("--set", setting)],
        stderr=open(root / "broker.log", "w"),
        preexec_fn=group.join,
    )
    try:
        return measure(options, broker, group, root)
    finally:
        broker.kill()
        broker.wait()
        group.remove()
        if not options.keep:
            shutil.rmtree(root)


def measure(options, broker, group, root):
    wait_until(lambda: "listening" in (root / "broker.log").read_text())
    target = ["-b", f"127.0.0.1:{options.port}"]
    for topic, settings in TOPICS.items():
        words = [word for setting in settings for word in ("-c", setting)]
        subprocess.run([options.broker, "topic", "create", topic, *target, "-p", "8", *words], check=True)

    def produce(topic, connections, *length):
        return subprocess.Popen(
            [options.broker, "bench", "produce", "--topic", topic, *target, "--connections", str(connections)]
            + ["--batch-bytes", "100000", "--acks", "all", "--json", *length],
            stdout=subprocess.PIPE,
            text=True,
        )

    produce("old", 8, "--mb", "500", "--warmup", "0", "--seconds", "600").communicate()
    seconds = options.minutes * 60
    consumers = subprocess.Popen(
        [options.broker, "bench", "consume", "--topic", "old", *target, "--connections", str(options.consumers)]
        + ["--fetch-bytes", "65536", "--warmup", "0", "--seconds", str(seconds + 1200)],
        stdout=subprocess.DEVNULL,
        stderr=open(root / "consumers.log", "w"),
    )
    # Until all of them read: what is taken before that nobody can sustain.
    time.sleep(min(30, seconds / 10))

    def taken(connections):
        length = str(round(min(60, max(10, seconds / 10))))
        took = rate(produce("load", connections, "--seconds", length).communicate()[0])
        print(f"{took:.1f} MB/s by {connections} connections for {length} s", flush=True)
        return took

    peak, sustained = 0, options.connections
    for connections in (options.connections << doubled for doubled in range(6)):
        took = taken(connections)
        peak, more = max(peak, took), took > 1.1 * peak
        if not more:
            break
        sustained = connections
    producers = produce("load", 4 * sustained, "--seconds", str(seconds))
    samples = []
    began = time.monotonic()
    while producers.poll() is None and broker.poll() is None:
        time.sleep(min(10, seconds / 10))
        samples.append(resident(broker.pid, "VmRSS"))
        print(f"{time.monotonic() - began:6.0f} s: resident {samples[-1] >> 20} MB", flush=True)
    if broker.poll() is not None:
        producers.kill()
        consumers.kill()
        print(f"the broker ended with {broker.returncode}")
        return 1
    under = rate(producers.communicate()[0])
    if consumers.poll() is not None:
        print(f"the consumers ended: {(root / 'consumers.log').read_text()}")
        return 1
    print(f"overloaded: {under:.1f} MB/s by {4 * sustained} connections for {options.minutes} minutes", flush=True)
    peak = max(peak, taken(sustained))
    consumers.kill()
    most = resident(broker.pid, "VmHWM")
    print(f"{under / peak:.0%} of the greatest rate seen, beside {options.consumers} consumers")
    print(f"resident: {samples[len(samples) // 4] >> 20} MB after a quarter, {samples[-1] >> 20} MB in the end, ", end="")
    print(f"{most >> 20} MB at most; killed for memory: {group.kills()}")
    return 0 if most <= options.limit_mb << 20 and group.kills() == 0 else 1


class Group:
    """A memory cgroup, or nothing of the kind."""

    def __init__(self, kind, path, events):
        self.kind, self.path, self.events = kind, path, events

    @classmethod
    def make(cls, limit):
        name = f"milena-overload-{os.getpid()}"
        for kind, base, file, events in KINDS:
            path = pathlib.Path(base, name)
            try:
                path.mkdir()
            except OSError:
                continue
            if (path / file).exists():
                (path / file).write_text(str(limit))
                return cls(kind, path, events)
            path.rmdir()
        return cls("nothing but a look at it", None, None)

    def join(self):
        if self.path:
            (self.path / "cgroup.procs").write_text(str(os.getpid()))

    def kills(self):
        if not self.path:
            return 0
        told = re.search(r"^oom_kill (\d+)$", (self.path / self.events).read_text(), re.M)
        return int(told[1]) if told else 0

    def remove(self):
        if self.path:
            self.path.rmdir()


def rate(report):
    return json.loads(report)["mb_per_s"]


def resident(pid, which):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"^{which}:\s+(\d+) kB", status, re.M)[1]) << 10


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            sys.exit("overload.py: the broker does not listen")
        time.sleep(0.05)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--broker", required=True)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--connections", type=int, default=16, help="producers to begin with")
    parser.add_argument("--consumers", type=int, default=1000)
    parser.add_argument("--limit-mb", type=int, default=512)
    parser.add_argument("--port", type=int, default=20590)
    parser.add_argument("--dir", help="where the data go; about 3 GB")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--keep", action="store_true", help="leave the directory")
    options = parser.parse_args()
    options.broker = os.path.abspath(options.broker)
    return options


SETTINGS = ["log.retention.check.interval.ms=2000", "log.segment.delete.delay.ms=1000"]
TOPICS = {"old": ["retention.ms=-1"], "load": ["retention.bytes=134217728", "segment.bytes=33554432"]}
KINDS = [
    ("cgroup v2", "/sys/fs/cgroup", "memory.max", "memory.events"),
    ("cgroup v1", "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.oom_control"),
]

if __name__ == "__main__":
    sys.exit(main())
