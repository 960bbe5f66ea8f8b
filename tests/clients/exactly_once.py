#!/usr/bin/env python3
"""Records are read, copied and committed in transactions, while the copiers and the broker are killed again and again.

    exactly_once.py --broker target/release/milena         (or --reference for Apache Kafka)

In the end every record of the source is in the target exactly once, for readers of committed records; compared by id.
No transaction is left that holds such readers up. The last line says what was done; the exit code is 0 if all is well.
For a long run: MILENA_EXACTLY_ONCE_RECORDS=1000000 MILENA_EXACTLY_ONCE_KILLS=300. A run's kills follow from its seed,
which it prints, and MILENA_EXACTLY_ONCE_SEED repeats.
"""

import argparse
import collections
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import brokers
import drivers

RECORDS = int(os.environ.get("MILENA_EXACTLY_ONCE_RECORDS", 20_000))
KILLS = int(os.environ.get("MILENA_EXACTLY_ONCE_KILLS", 8))
SEED = int(os.environ.get("MILENA_EXACTLY_ONCE_SEED", time.time_ns() % 1_000_000))
PARTITIONS = 4
COPIERS = 2
SECONDS_BETWEEN_KILLS = (0.3, 4)
BROKER_KILLS = 0.4  # of all; the others are copiers'
PATIENCE_SECONDS = 180
SETTINGS = [
    "group.initial.rebalance.delay.ms=0",
    "group.min.session.timeout.ms=1000",
    "transaction.state.log.num.partitions=5",
    "offsets.topic.num.partitions=5",
]


class Copiers:
    """The workers, each of which comes back whenever it has ended."""

    def __init__(self, address, most, log):
        self.address, self.most, self.log = address, most, log
        self.processes = [None] * COPIERS
        self.started = 0

    def start(self):
        for number, process in enumerate(self.processes):
            if process is None or process.poll() is not None:
                command = [drivers.PYTHON, drivers.HERE / "python/copier.py", self.address]
                arguments = [f"copier-{number}", str(self.most), f"{SEED} {self.started}"]
                self.processes[number] = subprocess.Popen([*command, *arguments], stderr=self.log)
                self.started += 1

    def kill(self, number):
        self.processes[number].kill()
        self.processes[number].wait()

    def stop(self):
        for number, process in enumerate(self.processes):
            if process is not None:
                self.kill(number)


def run(broker, log):
    # Here, as they need the interpreter that main() changes to.
    sys.path.append(str(drivers.HERE / "python"))
    from copier import GROUP, SOURCE, TARGET
    from exactly_once_ids import Ids

    dice = random.Random(SEED)
    ids = Ids(broker.address)
    for topic in (SOURCE, TARGET):
        ids.create(topic, PARTITIONS)
    copiers = Copiers(broker.address, max(10, RECORDS // KILLS // 50), log)
    try:
        for kill in range(KILLS):
            ids.fill(SOURCE, range(RECORDS * kill // KILLS, RECORDS * (kill + 1) // KILLS))
            copiers.start()
            time.sleep(dice.uniform(*SECONDS_BETWEEN_KILLS))
            if dice.random() < BROKER_KILLS:
                broker.stop(signal.SIGKILL)
                broker.start()
            else:
                copiers.kill(dice.randrange(COPIERS))
        wait("the copiers to come to the end", lambda: copiers.start() or ids.is_read(GROUP, SOURCE))
    finally:
        copiers.stop()
    wait("the end of the last transactions", lambda: ids.ends(TARGET, True) == ids.ends(TARGET, False))
    return judge(ids.read(SOURCE), ids.read(TARGET))


def judge(source, target):
    """What is wrong, as text; nothing if nothing is."""
    wanted, found = set(source), collections.Counter(target)
    faults = {
        "not in the source": sorted(set(range(RECORDS)) - wanted),
        "lost": sorted(wanted - set(found)),
        "doubled": sorted(one for one, count in found.items() if count > 1),
        "from nowhere": sorted(set(found) - wanted),
    }
    return [f"{len(some)} {what}: {some[:20]}" for what, some in faults.items() if some]


def wait(what, done):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {PATIENCE_SECONDS} s for {what}")
        time.sleep(0.2)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--broker", type=pathlib.Path, help="the broker's binary")
    which.add_argument("--reference", action="store_true", help="run against Apache Kafka")
    arguments = parser.parse_args()
    if pathlib.Path(sys.prefix).resolve() != (drivers.INSTALLED / "python").resolve():
        os.execv(drivers.PYTHON, [str(drivers.PYTHON), *sys.argv])  # the one that has the clients
    print(f"seed {SEED}", flush=True)
    started = time.monotonic()
    logs = drivers.INSTALLED / "last-exactly-once"
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="milena-exactly-once-") as directory:
        broker = brokers.broker_of(arguments, directory, SETTINGS)
        broker.start()
        try:
            with open(logs / "copiers.log", "wb") as log:
                faults = run(broker, log)
        except TimeoutError as late:
            faults = [str(late)]
        finally:
            broker.stop()
            for log in pathlib.Path(directory).glob("*.log"):
                shutil.copy(log, logs)
    for fault in faults:
        print(f"FAIL {fault}")
    seconds = round(time.monotonic() - started)
    print(f"{broker.name}: {RECORDS} records, {KILLS} kills, {seconds} s; {'FAIL' if faults else 'pass'}; logs in {logs}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
