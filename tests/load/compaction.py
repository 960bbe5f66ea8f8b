#!/usr/bin/env python3
"""Compacts a large log beside a steady load and tells what that does to the load's latency.

Fills a topic (10 million keys, each written twice, 5 GB by default), measures the latency of a steady producer and consumer
of another topic alone, has the large one compacted, and measures again until compaction is done. Then it looks at what is
left: of each key the last record. `tests/reference/compaction.sh` compares that with Apache Kafka on a smaller input, and
`tests/reference/dump.sh` has Kafka's tool read the segments (kept with --keep).
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
    root = pathlib.Path(tempfile.mkdtemp(prefix="milena-compaction-", dir=options.dir))
    words = [word for setting in SETTINGS + options.set for word in ("--set", setting)]
    broker = subprocess.Popen(
        [options.broker, "serve", "--set", f"listeners=PLAINTEXT://127.0.0.1:{options.port}"]
        + ["--set", f"log.dirs={root / 'data'}", *words],
        stderr=open(root / "broker.log", "w"),
    )
    try:
        return measure(options, broker, root)
    finally:
        broker.terminate()
        broker.wait()
        if options.keep:
            print(f"left in {root}")
        else:
            shutil.rmtree(root)


def measure(options, broker, root):
    wait_until("a broker that listens", lambda: "listening" in (root / "broker.log").read_text())
    target = ["-b", f"127.0.0.1:{options.port}", "--timeout", "60"]

    def milena(*words, **how):
        return subprocess.run([options.broker, *words, *target], check=True, **how)

    # Nothing is compacted before it is said so below.
    milena("topic", "create", "state", "-p", "1", "-c", "retention.ms=-1", "-c", "segment.bytes=268435456")
    fill(options, target)
    log = root / "data" / "state-0"
    before = size(log)
    alone = latency(options, target, options.seconds).communicate()[0]
    print(f"alone: {told(alone)}", flush=True)

    memory = resident(broker.pid, "VmRSS")
    begun = time.monotonic()
    milena("config", "set", "--topic", "state", "cleanup.policy=compact", "min.cleanable.dirty.ratio=0.01")
    beside = []
    while not is_compacted(root / "data" / "cleaner-offset-checkpoint", 2 * options.keys):
        beside.append(latency(options, target, options.seconds).communicate()[0])
        print(f"beside compaction: {told(beside[-1])}", flush=True)
        if time.monotonic() - begun > 3600:
            sys.exit("compaction.py: compaction takes more than an hour")
    took = time.monotonic() - begun
    most = resident(broker.pid, "VmHWM")
    print(f"compacted within {took:.0f} s: {before / 1e9:.2f} GB before, {size(log) / 1e9:.2f} GB after")
    print(f"resident: {memory >> 20} MB before, {most >> 20} MB at most")
    worst = max(p99(report) for report in beside) / p99(alone)
    print(f"p99 beside compaction is {worst:.2f} times what it is alone")
    left = look(options, target)
    print(f"{left} records are left of {options.keys} keys")
    return 0 if left == options.keys else 1


def fill(options, target):
    """Every key twice, in another order the second time; then some records to fill the last segment."""
    keys, padding = options.keys, "v" * (options.record_bytes - 30)
    producing = subprocess.Popen(
        [options.broker, "produce", "state", *target, "-k", ":", "--batch-bytes", "262144"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    for turn, stride in ((0, 1), (1, 7_919)):
        for some in range(0, keys, 10_000):
            lines = (f"key-{number * stride % keys:09}:{turn}{padding}\n" for number in range(some, min(some + 10_000, keys)))
            producing.stdin.write("".join(lines))
    behind = 300_000_000 // options.record_bytes
    producing.stdin.write("".join(f"behind-{number:06}:{padding}\n" for number in range(behind)))
    producing.stdin.close()
    if producing.wait() != 0:
        sys.exit("compaction.py: the topic could not be filled")


def look(options, target):
    """How many of the keys are there, each once and with its last value."""
    consuming = subprocess.Popen(
        [options.broker, "consume", "state", *target, "--keys", "--positions"], stdout=subprocess.PIPE, text=True
    )
    seen = bytearray(options.keys)
    for line in consuming.stdout:
        found = re.search(r"\tkey-(\d{9})\t(\d)v", line)
        if not found:
            continue
        if found[2] != "1" or seen[int(found[1])]:
            sys.exit(f"compaction.py: this should not be left: {line[:80]}")
        seen[int(found[1])] = 1
    return sum(seen)


def latency(options, target, seconds):
    return subprocess.Popen(
        [options.broker, "bench", "latency", *target[:2], "--rate", str(options.rate), "--seconds", str(seconds)]
        + ["--json"],
        stdout=subprocess.PIPE,
        text=True,
    )


def told(report):
    figures = {name: value for name, value in json.loads(report).items() if "_p50_" in name or "_p99_" in name}
    return ", ".join(f"{name} {value}" for name, value in figures.items())


def p99(report):
    return max(value for name, value in json.loads(report).items() if "_p99_" in name)


def is_compacted(checkpoint, end):
    if not checkpoint.exists():
        return False
    return any(
        line.startswith("state 0 ") and int(line.split()[2]) >= end for line in checkpoint.read_text().splitlines()
    )


def size(log):
    return sum(path.stat().st_size for path in log.glob("*.log"))


def resident(pid, which):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"^{which}:\s+(\d+) kB", status, re.M)[1]) << 10


def wait_until(what, condition):
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"compaction.py: waited a minute for {what}")
        time.sleep(0.05)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--broker", required=True)
    parser.add_argument("--keys", type=int, default=10_000_000)
    parser.add_argument("--record-bytes", type=int, default=240)
    parser.add_argument("--rate", type=int, default=1000, help="records a second of the load beside")
    parser.add_argument("--seconds", type=float, default=20, help="of each look at the latency")
    parser.add_argument("--port", type=int, default=20591)
    parser.add_argument("--dir", help="where the data go; about twice as much as is written")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--keep", action="store_true", help="leave the directory")
    options = parser.parse_args()
    options.broker = os.path.abspath(options.broker)
    return options


SETTINGS = ["log.cleaner.backoff.ms=1000", "log.retention.check.interval.ms=3600000"]

if __name__ == "__main__":
    sys.exit(main())
