#!/usr/bin/env python3
"""Runs one list of scenarios with every client against one broker and prints a matrix.

    run.py --broker target/release/milena      against Milena
    run.py --reference                             against Apache Kafka, to check the scenarios themselves

Exit code 0: everything passed. The last line is `N passed, N failed`. Logs of broker and clients and the results as
JSON stay in .clients/last-run. A client that is not installed is named and counts as failed, unless --allow-missing.
"""

import argparse
import concurrent.futures
import contextlib
import json
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import threading
import time

import apart
import brokers
import drivers
import rebalance
import scenarios

PARALLEL_CLIENTS = 4
TRANSACTIONS_OF_OTHERS = "read others: transactions"
SECONDS_BEFORE_RESTART = 1.5  # for every client to be writing
LEGEND = """\
pass: as written    FAIL: see below    n.a.: the client lacks it    -: not installed, or not tried
kafkajs reads through its own fetch requests where no group is asked for, as it has no consumer without one.
kcat cannot set timestamps or delete; it creates topics by writing to them.
Rebalances are tried with three clients, whose drivers tell what happens to their partitions."""


class Run:
    def __init__(self, broker, names, directory, seed, form):
        self.broker, self.names, self.directory = broker, names, directory
        self.seed, self.form = seed, form
        self.results = {}  # (scenario, client): {"outcome", "reason", "seconds"}
        self.written = {}  # (client, codec): (topic, records)
        self.transactions = {}  # client: (topic, records, those that were committed)
        self.drivers = {}
        self.versions = {}

    def everything(self, only):
        with contextlib.ExitStack() as stack:
            stack.callback(self.broker.stop)
            self.broker.start()
            for name in self.names:
                log = stack.enter_context(open(self.directory / f"{name}.log", "wb"))
                self.drivers[name] = drivers.Driver(name, self.broker.address, log)
                stack.callback(self.drivers[name].stop)
            self.each_client(self.greet)
            first = [(title, play) for title, play in scenarios.FIRST if only in title]
            self.each_client(lambda name: [self.run(name, title, play) for title, play in first])
            codecs = [codec for codec in scenarios.CODECS if only in f"read others: {codec}"]
            self.each_client(lambda name: self.read_others(name, codecs))
            if only in TRANSACTIONS_OF_OTHERS:
                self.each_client(lambda name: self.judge(name, TRANSACTIONS_OF_OTHERS, lambda: self.read_transactions(name)))
            for how in (signal.SIGTERM, signal.SIGKILL):
                around = [(f"{title} {how.name}", play) for title, play in scenarios.AROUND_RESTART]
                around = [(title, play) for title, play in around if only in title]
                if around:
                    self.around_restart(how, around)
                during = [(f"{title} {how.name}", play) for title, play in scenarios.DURING_RESTART]
                for title, play in during:
                    if only in title:
                        self.during_restart(how, title, play)
            self.rebalance(only)
            self.apart(only)
            if brokers.DUMP_TOOL.exists():
                self.dump()

    def dump(self):
        """Kafka's own tool over all that the clients wrote, after the broker's last stop."""
        self.broker.stop()
        folders = sorted(f for f in self.broker.data.iterdir() if self.broker.dumped.fullmatch(f.name))
        self.judge(brokers.DUMP_TOOL_NAME, f"{len(folders)} logs, deep iteration and index checks", lambda: brokers.dump(folders))

    def each_client(self, work):
        with concurrent.futures.ThreadPoolExecutor(PARALLEL_CLIENTS) as pool:
            for done in [pool.submit(work, name) for name in self.names]:
                done.result()

    def greet(self, name):
        self.versions[name] = self.drivers[name]("hello")["version"]

    def run(self, name, title, play):
        session = scenarios.Session(self.drivers[name], name, title)
        self.judge(name, title, lambda: play(session))
        if title.startswith("codec: "):
            self.written[name, title.removeprefix("codec: ")] = (session.topic, session.written)

        if title == "transactions":
            self.transactions[name] = (session.topic, session.written, session.committed)

    def read_transactions(self, reader):
        """Each client reads what each other client committed and aborted."""
        for writer, (topic, written, committed) in self.transactions.items():
            if committed and writer != reader:
                try:
                    session = scenarios.Session(self.drivers[reader], reader, "")
                    session.topic, session.written, session.committed = topic, written, committed
                    session.read_transactions()
                except (drivers.Failed, scenarios.Mismatch) as e:
                    raise scenarios.Mismatch(f"written by {writer}: {e}") from e

    def read_others(self, reader, codecs):
        """Each client reads what each other client wrote, in each codec that both have."""
        for codec in codecs:
            self.judge(reader, f"read others: {codec}", lambda: self.read_codec(reader, codec))

    def read_codec(self, reader, codec):
        driver = self.drivers[reader]
        if codec not in driver("hello")["codecs"]:
            raise drivers.NotAvailable(f"no {codec} in this client")
        for (writer, written_codec), (topic, records) in self.written.items():
            if codec == written_codec and records and writer != reader:
                try:
                    session = scenarios.Session(driver, reader, "")
                    session.topic, session.written = topic, records
                    session.read_back()
                except (drivers.Failed, scenarios.Mismatch) as e:
                    raise scenarios.Mismatch(f"written by {writer}: {e}") from e

    def around_restart(self, how, around):
        standing = {}

        def before(name):
            for title, play in around:
                standing[name, title] = play(scenarios.Session(self.drivers[name], name, title))
                self.judge(name, title, lambda: next(standing[name, title]))

        def after(name):
            for title, _ in around:
                if self.results[title, name]["outcome"] == "pass":
                    self.judge(name, title, lambda: next(standing[name, title], None))

        self.each_client(before)
        self.broker.stop(how)
        self.broker.start()
        self.each_client(after)

    def during_restart(self, how, title, play):
        restarted = threading.Event()

        def write(name):
            self.judge(name, title, lambda: play(scenarios.Session(self.drivers[name], name, title), restarted))

        with concurrent.futures.ThreadPoolExecutor(len(self.names)) as pool:
            writing = [pool.submit(write, name) for name in self.names]
            time.sleep(SECONDS_BEFORE_RESTART)
            try:
                self.broker.stop(how)
                self.broker.start()
            finally:
                restarted.set()
            for done in writing:
                done.result()

    def rebalance(self, only):
        """Groups of many processes, all at once."""
        groups = [
            (title, name, scenario)
            for title, clients, scenario in rebalance.SCENARIOS
            for name in self.names
            if only in title and name in clients
        ]
        if not groups:
            return

        def restart():
            self.broker.stop(signal.SIGKILL)
            self.broker.start()

        gate = rebalance.Gate(len(groups), restart)
        writers = {name: locked(self.drivers[name]) for name in self.names}
        with concurrent.futures.ThreadPoolExecutor(len(groups)) as pool:
            for title, name, scenario in groups:
                pool.submit(self.judge, name, title, self.rebalancing(title, name, scenario, writers[name], gate))

    def rebalancing(self, title, name, scenario, writer, gate):
        def play():
            with open(self.directory / f"{name} {title}.log", "wb", buffering=0) as log:
                address = self.broker.address
                rebalance.play(scenario, name, title, address, log, writer, gate, self.form, self.seed)

        return play

    def apart(self, only):
        """What needs a broker of its own."""
        for title, play in apart.SCENARIOS:
            if only in title and "java" in self.names:
                self.judge("transactions", title, lambda: self.on_another_broker(title, play))

    def on_another_broker(self, title, play):
        with tempfile.TemporaryDirectory(prefix="milena-apart-") as directory:
            with open(self.directory / f"{title}.log", "wb") as log:
                play(self.broker, pathlib.Path(directory), log, self.seed)

    def judge(self, name, title, play):
        started = time.monotonic()
        outcome, reason = "pass", None
        try:
            play()
        except drivers.NotAvailable as missing:
            outcome, reason = "n.a.", str(missing)
        except (drivers.Failed, scenarios.Mismatch) as e:
            outcome, reason = "FAIL", str(e)
        except Exception as e:  # an answer that the scenario did not foresee is the client's or broker's failure, too
            outcome, reason = "FAIL", f"{type(e).__name__}: {e}"
        seconds = round(time.monotonic() - started, 2)
        self.results[title, name] = {"outcome": outcome, "reason": reason, "seconds": seconds}


def locked(driver):
    """For many threads."""
    lock = threading.Lock()

    def call(*arguments, **named):
        with lock:
            return driver(*arguments, **named)

    return call


def show(results, versions):
    """The matrix, then why cells are not "pass"."""
    titles = list(dict.fromkeys(title for title, name in results if name in drivers.CLIENTS))
    columns = list(drivers.CLIENTS)
    width = max(map(len, titles), default=0)
    print(" " * width, *(f"{name:>15}" for name in columns))
    print(" " * width, *(f"{versions.get(name, '-').split(' ')[0]:>15}" for name in columns))
    for title in titles:
        cells = (results.get((title, name), {"outcome": "-"})["outcome"] for name in columns)
        print(f"{title:<{width}}", *(f"{cell:>15}" for cell in cells))
    print()
    print(LEGEND)
    print()
    for (title, name), result in results.items():
        if name not in drivers.CLIENTS:
            print(f"{result['outcome']} {name}: {title}\n")
    for outcome in ("n.a.", "FAIL"):
        for (title, name), result in results.items():
            if result["outcome"] == outcome:
                print(f"{outcome} {name}, {title}: {result['reason']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--broker", type=pathlib.Path, help="the broker's binary")
    which.add_argument("--reference", action="store_true", help="run against Apache Kafka")
    parser.add_argument("--clients", default=",".join(drivers.CLIENTS), help="some clients only")
    parser.add_argument("--only", default="", help="scenarios whose title contains this")
    parser.add_argument("--allow-missing", action="store_true", help="a client that is not installed is no failure")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of what happens to groups")
    parser.add_argument("--long", action="store_true", help="much more happens to groups")
    parser.add_argument("--json", type=pathlib.Path, help="also write the results there")
    arguments = parser.parse_args()

    wanted = arguments.clients.split(",")
    missing = [name for name in wanted if not pathlib.Path(drivers.CLIENTS[name][0]).exists()]
    names = [name for name in wanted if name not in missing]
    if not brokers.DUMP_TOOL.exists():
        missing.append(brokers.DUMP_TOOL_NAME)
    logs = drivers.INSTALLED / "last-run"
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)

    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="milena-clients-") as directory:
        broker = brokers.broker_of(arguments, directory, rebalance.BROKER_SETTINGS)
        form = rebalance.LONG if arguments.long else rebalance.SHORT
        run = Run(broker, names, logs, arguments.seed, form)
        try:
            run.everything(arguments.only)
        finally:
            for log in pathlib.Path(directory).glob("*.log"):
                shutil.copy(log, logs)
    show(run.results, run.versions)
    for name in missing:
        print(f"{'missing' if arguments.allow_missing else 'FAIL'} {name}: not installed; see what tests/clients/setup.sh says")
    outcomes = [result["outcome"] for result in run.results.values()]
    failed = outcomes.count("FAIL") + (0 if arguments.allow_missing else len(missing))
    report = {
        "broker": broker.name,
        "clients": run.versions,
        "missing": missing,
        "seconds": round(time.monotonic() - started),
        "results": [{"scenario": title, "client": name} | result for (title, name), result in run.results.items()],
    }
    for path in filter(None, (logs / "results.json", arguments.json)):
        path.write_text(json.dumps(report, indent=1) + "\n")
    print(f"\n{broker.name}: {report['seconds']} s, seed {arguments.seed}; logs in {logs}")
    print(f"{outcomes.count('pass')} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
