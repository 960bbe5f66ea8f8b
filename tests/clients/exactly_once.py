#!/usr/bin/env python3
"""Records are read, copied and committed in transactions, while the copiers and the broker are killed again and again.

    exactly_once.py --broker target/release/milena         (or --reference for Apache Kafka)

One copier goes by version 1 of transactions (librdkafka), one by version 2 (the Java client), in one group. In the end
every record of the source is in the target exactly once, for readers of committed records; compared by id. No
transaction is left that holds such readers up, neither as they see it nor as `milena txn find-hanging` does; how long
the last stable offset of a partition stood still while there was more behind it is shown. The last line says what was
done; the exit code is 0 if all is well. A run's kills follow from its seed, which it prints. Long runs:

    --records 1000000 --kills 300 --most 400        many kills
    --records 600000 --kills 6 --seconds 600        ten minutes of load with a kill now and then
"""

import argparse
import collections
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import brokers
import drivers

PARTITIONS = 4
COPIERS = {
    "librdkafka": [drivers.PYTHON, drivers.HERE / "python/copier.py"],
    "java": [*drivers.JAVA, "-cp", drivers.JAVA_CLASSES, "Copier"],
}
TURN_SECONDS = 2.2  # from one kill to the next, on average
TURN_PARTS = (0.15, 1.85)  # of that: the least and the most
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

    def __init__(self, address, options, log):
        self.address, self.options, self.log = address, options, log
        self.processes = dict.fromkeys(COPIERS)
        self.started = 0

    def start(self):
        most = self.options.most or max(10, self.options.records // self.options.kills // 50)
        for name, process in self.processes.items():
            if process is None or process.poll() is not None:
                arguments = [self.address, f"copier-{name}", str(most), f"{self.options.seed} {self.started}"]
                self.processes[name] = subprocess.Popen([*COPIERS[name], *arguments], stderr=self.log)
                self.started += 1

    def kill(self, name):
        self.processes[name].kill()
        self.processes[name].wait()

    def stop(self):
        for name, process in self.processes.items():
            if process is not None:
                self.kill(name)


class Watch(threading.Thread):
    """Looks how far readers of committed records come, all the time."""

    def __init__(self, ids, topic):
        super().__init__(daemon=True)
        self.ids, self.topic = ids, topic
        self.over = threading.Event()
        self.stable = {}  # partition: where readers stop, and since when they do
        self.longest, self.moves = 0, 0

    def run(self):
        while not self.over.wait(0.25):
            stable, high = (self.ids.latest(self.topic, committed) for committed in (True, False))
            if stable is None or high is None:
                continue  # the broker was killed
            now = time.monotonic()
            for partition, offset in stable.items():
                before, since = self.stable.get(partition, (None, now))
                if offset != before or offset >= high[partition]:
                    self.moves += offset != before
                    since = now
                self.longest = max(self.longest, now - since)
                self.stable[partition] = (offset, since)

    def stop(self):
        self.over.set()
        self.join()


def run(broker, options, log):
    # Here, as they need the interpreter that main() changes to.
    sys.path.append(str(drivers.HERE / "python"))
    from copier import GROUP, SOURCE, TARGET
    from exactly_once_ids import Ids

    records, kills = options.records, options.kills
    dice = random.Random(options.seed)
    ids = Ids(broker.address)
    for topic in (SOURCE, TARGET):
        ids.create(topic, PARTITIONS)
    copiers, watch = Copiers(broker.address, options, log), Watch(ids, TARGET)
    watch.start()
    try:
        for kill in range(kills):
            ids.fill(SOURCE, range(records * kill // kills, records * (kill + 1) // kills))
            copiers.start()
            time.sleep(dice.uniform(*TURN_PARTS) * (options.seconds / kills if options.seconds else TURN_SECONDS))
            if dice.random() < BROKER_KILLS:
                broker.stop(signal.SIGKILL)
                broker.start()
            else:
                copiers.kill(dice.choice(list(COPIERS)))
        wait("the copiers to come to the end", lambda: copiers.start() or ids.is_read(GROUP, SOURCE))
    finally:
        copiers.stop()
    wait("the end of the last transactions", lambda: ids.ends(TARGET, True) == ids.ends(TARGET, False))
    watch.stop()
    print(f"readers of committed records moved {watch.moves} times, and stood still for {watch.longest:.1f} s at most")
    return judge(records, ids.read(SOURCE), ids.read(TARGET)) + hanging(broker)


def judge(records, source, target):
    """What is wrong, as text; nothing if nothing is."""
    wanted, found = set(source), collections.Counter(target)
    faults = {
        "not in the source": sorted(set(range(records)) - wanted),
        "lost": sorted(wanted - set(found)),
        "doubled": sorted(one for one, count in found.items() if count > 1),
        "from nowhere": sorted(set(found) - wanted),
    }
    return [f"{len(some)} {what}: {some[:20]}" for what, some in faults.items() if some]


def hanging(broker):
    """The transactions without an end that Milena's own tool finds."""
    if not isinstance(broker, brokers.Broker):
        return []
    command = [broker.binary, "txn", "find-hanging", "--bootstrap", broker.address, "--idle-for", "0", "--json"]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return [f"hanging: {found}"] if found else []


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
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--most", type=int, help="records in a transaction")
    parser.add_argument("--seconds", type=float, help=f"over which the kills are spread; {TURN_SECONDS} for each if not said")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    arguments = parser.parse_args()
    if pathlib.Path(sys.prefix).resolve() != (drivers.INSTALLED / "python").resolve():
        os.execv(drivers.PYTHON, [str(drivers.PYTHON), *sys.argv])  # the one that has the clients
    print(f"seed {arguments.seed}", flush=True)
    started = time.monotonic()
    logs = drivers.INSTALLED / "last-exactly-once"
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="milena-exactly-once-") as directory:
        broker = brokers.broker_of(arguments, directory, SETTINGS)
        broker.start()
        try:
            with open(logs / "copiers.log", "wb") as log:
                faults = run(broker, arguments, log)
        except TimeoutError as late:
            faults = [str(late)]
        finally:
            broker.stop()
            for log in pathlib.Path(directory).glob("*.log"):
                shutil.copy(log, logs)
    for fault in faults:
        print(f"FAIL {fault}")
    seconds = round(time.monotonic() - started)
    done = f"{arguments.records} records, {arguments.kills} kills, {seconds} s"
    print(f"{broker.name}: {done}; {'FAIL' if faults else 'pass'}; logs in {logs}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
