"""Measures brokers side by side in one run: they run at the same time, and take turns under the same load.

Each figure is the median over the rounds. CPU is the broker process's own user and system time, so that it compares
on a noisy machine where throughput, which the client shares the cores for, does not. 1 GB is 10^9 bytes of values.
"""

import argparse
import contextlib
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from confluent_kafka.admin import AdminClient, NewTopic

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "clients"))

from brokers import Broker, Reference  # noqa: E402  (lies beside this folder)
from process import cpu_seconds, resident_mb  # noqa: E402

LOADS = [
    # name, record bytes, share of the volume: small records cost the client more per byte
    ("1 KB", 1000, 1.0),
    ("100 B", 100, 0.25),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--broker", required=True, help="the milena binary")
    parser.add_argument("--mb", type=int, default=1000, help="MB of values per run of 1 KB records")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--partitions", type=int, default=1)
    parser.add_argument("--acks", default="all")
    parser.add_argument("--codec", default="none")
    parser.add_argument("--json", type=pathlib.Path, help="also write the figures there")
    parser.add_argument("--without-kafka", action="store_true")
    options = parser.parse_args()

    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="milena-bench-")))
        brokers = {
            "milena (ack)": Broker(options.broker, folder / "ack"),
            "milena (os)": Broker(options.broker, folder / "os", ["log.flush.policy=os"]),
        }
        if not options.without_kafka:
            brokers["apache kafka"] = Reference(folder / "kafka")
        for broker in brokers.values():
            broker.directory.mkdir()
            stack.callback(broker.stop)
            broker.start()
        rows = list(rounds(brokers, options))
    report(rows)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2))


def rounds(brokers, options):
    for broker in brokers.values():
        # Lets the virtual machine compile what it will run, and costs the others nothing.
        list(run_pair(broker, options, "warmup", 1000, 200_000))
    for load, size, share in LOADS:
        count = int(options.mb * 1e6 * share / size)
        figures = {(name, what): [] for what in ("produce", "consume") for name in brokers}
        for round_ in range(options.rounds):
            for name, broker in brokers.items():
                for what, figure in run_pair(broker, options, f"bench-{size}-{round_}", size, count):
                    figures[name, what].append(figure)
        for (name, what), of_one in figures.items():
            row = {"broker": name, "what": what, "load": load, **summary(size, count, of_one)}
            yield {**row, "resident_peak_mb": resident_mb(brokers[name].pid, "VmHWM")}


def run_pair(broker, options, topic, size, count):
    admin = AdminClient({"bootstrap.servers": broker.address})
    admin.create_topics([NewTopic(topic, options.partitions, 1)])[topic].result(30)
    for what in ("produce", "consume"):
        yield what, measure(broker, options, topic, size, count, what)
    admin.delete_topics([topic])[topic].result(30)


def measure(broker, options, topic, size, count, what):
    before = cpu_seconds(broker.pid)
    command = [sys.executable, HERE / "load.py", what, "--bootstrap", broker.address, "--topic", topic,
               "--partitions", str(options.partitions), "--count", str(count), "--size", str(size),
               "--acks", options.acks, "--codec", options.codec]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise SystemExit(f"{what} to {broker.name} failed: {done.stderr.strip() or done.stdout.strip()}")
    time.sleep(0.5)
    figure = json.loads(done.stdout)
    figure["broker_cpu_seconds"] = cpu_seconds(broker.pid) - before
    figure["resident_mb"] = resident_mb(broker.pid)
    return figure


def summary(size, count, figures):
    gigabytes = size * count / 1e9
    seconds = statistics.median(f["seconds"] for f in figures)
    return {
        "mb_per_s": gigabytes * 1000 / seconds,
        "records_per_s": count / seconds,
        "broker_cpu_s_per_gb": statistics.median(f["broker_cpu_seconds"] for f in figures) / gigabytes,
        "client_cpu_s_per_gb": statistics.median(f["client_cpu_seconds"] for f in figures) / gigabytes,
        "resident_mb": statistics.median(f["resident_mb"] for f in figures),
        "rounds": len(figures),
    }


def report(rows):
    head = ["what", "records", "broker", "MB/s", "records/s", "broker CPU s/GB", "client CPU s/GB", "RSS MB", "peak MB"]
    table = [[
        row["what"], row["load"], row["broker"], f"{row['mb_per_s']:.0f}", f"{row['records_per_s']:,.0f}",
        f"{row['broker_cpu_s_per_gb']:.2f}", f"{row['client_cpu_s_per_gb']:.2f}", f"{row['resident_mb']:.0f}",
        f"{row['resident_peak_mb']:.0f}"] for row in rows]
    widths = [max(len(line[column]) for line in [head, *table]) for column in range(len(head))]
    for line in [head, ["-" * width for width in widths], *table]:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())


if __name__ == "__main__":
    main()
