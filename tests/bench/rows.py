"""The loads, the brokers that take part in each, and the figures that come of them."""

import contextlib
import dataclasses
import json
import pathlib
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from drivers import INSTALLED
from process import cpu_seconds, resident_mb
from subjects import Failure

HERE = pathlib.Path(__file__).resolve().parent
ALL = []
LOADED_RATE = 100_000  # records a second where there is no Kafka to ask
FAILURE_MAX = 300  # letters of a failure's text
# What needs neither another client nor a tracer, and little time.
SHORT = ["produce", "fetch", "fan-out", "small", "latency", "fairness", "transactions", "idle", "partitions", "groups"]


@dataclasses.dataclass
class Row:
    name: str
    title: str
    subjects: list[str]
    run: Callable
    targets: list = dataclasses.field(default_factory=list)
    once: bool = False  # it takes long, and its figures are of a kind that one run tells


@dataclasses.dataclass
class Target:
    """`figure` of Milena's, divided by that of `against` if given, is at most (or at least) `bound`."""

    figure: str
    bound: float
    against: str = ""
    subject: str = "milena"
    at_least: bool = False


def row(name, title, subjects, *targets, once=False):
    def add(run):
        ALL.append(Row(name, title, subjects, run, list(targets), once))
        return run

    return add


def measure(row, subjects, generator, rounds):
    """Alternating runs; medians of what they gave. A subject that fails has no further runs, and the others go on."""
    figures, failed, state = {}, {}, {}
    rounds = 1 if row.once else rounds

    def attempt(subject, what, run):
        if subject.name in failed:
            return
        try:
            got = run()
        except Exception as failure:
            failed[subject.name] = told = f"{what}: {' '.join(str(failure).split())[:FAILURE_MAX]}"
            print(f"{row.name}: {subject.name} failed: {told}", file=sys.stderr, flush=True)
        else:
            if what == "round":
                figures.setdefault(subject.name, []).append(got)

    try:
        for subject in subjects:
            attempt(subject, "start", subject.start)
        for subject in subjects:
            if subject.name.startswith("kafka") and not row.once:
                # It lets the virtual machine compile what it will run.
                attempt(subject, "warm-up", lambda: row.run(generator, subject, state, "warm"))
        for at in range(rounds):
            turn = at % len(subjects)
            for subject in subjects[turn:] + subjects[:turn]:
                attempt(subject, "round", lambda: row.run(generator, subject, state, str(at)))
    finally:
        for subject in subjects:
            with contextlib.suppress(Exception):  # one that failed may be gone already
                subject.stop()
    medians = {
        name: {key: statistics.median(figure[key] for figure in of_one) for key in of_one[0]}
        for name, of_one in ((subject.name, figures.get(subject.name)) for subject in subjects)
        if of_one
    }
    targets = [dataclasses.asdict(target) for target in row.targets]
    return {"name": row.name, "title": row.title, "rounds": rounds, "figures": medians, "failed": failed,
            "targets": targets}


def common(figure):
    """What every load of requests is described by."""
    requests, gigabytes = figure["all_requests"], figure["all_bytes"] / 1e9
    found = {
        "records/s": figure["records_per_s"],
        "requests/s": figure["requests_per_s"],
        "MB/s": figure["mb_per_s"],
        "p50 us": figure["latency_p50_us"],
        "p99 us": figure["latency_p99_us"],
        "p99.9 us": figure["latency_p999_us"],
        "max us": figure["latency_max_us"],
        "CPU us/request": figure["broker_cpu_s"] / requests * 1e6 if requests else 0.0,
        "RSS MB": figure["rss_mb"],
        "peak MB": figure["rss_peak_mb"],
        "others": figure["others_share"],
    }
    return found | ({"CPU s/GB": figure["broker_cpu_s"] / gigabytes} if gigabytes else {})


def on_a_topic(generator, subject, name, load):
    """Runs `load` on a new topic. It stays until the row has ended: what is deleted would leave memory free that the next
    run had to take anew."""
    generator.topic(subject, "create", name)
    return load()


def produce(generator, subject, name, *arguments, mb=2000, seconds=30):
    mb = max(20, int(mb * generator.scale))
    length = ["--warmup", 0, "--seconds", seconds, "--mb", mb]
    load = ["produce", "--topic", name, *length, *arguments]
    return on_a_topic(generator, subject, name, lambda: common(generator.bench(subject, *load)))


BIG = ["--batch-bytes", 1_000_000, "--connections", 2]
SMALL = ["--batch-bytes", 1100, "--record-bytes", 1000, "--connections", 64, "--in-flight", 1]
CPU = "CPU s/GB"
PER_REQUEST = "CPU us/request"


@row("produce-1k", "produce, 1 MB batches of 1 KB records, acks=1, not synced", ["milena", "kafka", "floor"],
     Target(CPU, 1.3, "floor"), Target(CPU, 0.25, "kafka"))
def produce_1k(generator, subject, _state, at):
    return produce(generator, subject, f"p1k-{at}", *BIG, "--acks", "1")


@row("produce-100", "the same with records of 100 B", ["milena", "kafka", "floor"],
     Target(CPU, 1.3, "floor"), Target(CPU, 0.25, "kafka"))
def produce_100(generator, subject, _state, at):
    return produce(generator, subject, f"p100-{at}", *BIG, "--acks", "1", "--record-bytes", 100)


@row("produce-synced", "1 MB batches of 1 KB records, acks=all; Milena and one floor sync before they answer",
     ["milena synced", "kafka", "kafka flushing", "floor synced"],
     Target("MB/s", 1.0, "kafka", "milena synced", at_least=True),
     Target(CPU, 1.4, "floor synced", "milena synced"),
     Target("MB/s", 10.0, "kafka flushing", "milena synced", at_least=True))
def produce_synced(generator, subject, _state, at):
    return produce(generator, subject, f"sync-{at}", *BIG, "--acks", "all", mb=1000)


@row("fetch", "fetch from the start, answers of 1 MB, from the page cache", ["milena", "kafka", "floor"],
     Target(CPU, 1.25, "floor"), Target(CPU, 1 / 3, "kafka"))
def fetch(generator, subject, state, _at):
    name = "fetched"
    if (subject.name, name) not in state:
        generator.topic(subject, "create", name)
        generator.bench(subject, "produce", "--topic", name, *BIG, "--mb", 400, "--seconds", 60, "--warmup", 0)
        state[subject.name, name] = True
    mb = max(20, int(4000 * generator.scale))
    load = ["consume", "--topic", name, "--fetch-bytes", 1_050_000, "--mb", mb, "--seconds", 30, "--warmup", 0]
    return common(generator.bench(subject, *load))


@row("fan-out", "fetch while producing: 50 MB/s in, three readers at the tail", ["milena", "kafka"],
     Target("CPU s per second", 1 / 3, "kafka"))
def fan_out(generator, subject, _state, at):
    name, seconds = f"fan-{at}", max(1.0, 6 * generator.scale)

    def load():
        reader = ["consume", "--topic", name, "--follow", "--connections", 3]
        readers = generator.start(subject, *reader, "--seconds", seconds, "--warmup", 0)
        writer = ["produce", "--topic", name, "--rate", 50_000, "--batch-bytes", 100_000, "--acks", "1"]
        figure = generator.bench(subject, *writer, "--seconds", seconds, "--warmup", 0)
        read, _ = readers.communicate(timeout=120)
        got = json.loads(read)
        return {
            "in MB/s": figure["mb_per_s"],
            "out MB/s": got["mb_per_s"],
            "CPU s per second": figure["broker_cpu_s"] / figure["seconds"],
            "p99 us": figure["latency_p99_us"],
            "RSS MB": figure["rss_mb"],
        }

    return on_a_topic(generator, subject, name, load)


@row("small", "requests of 1 KB on 64 connections, one at a time each, acks=1", ["milena", "kafka", "floor"],
     Target(PER_REQUEST, 1.5, "floor"), Target(PER_REQUEST, 0.25, "kafka"))
def small(generator, subject, _state, at):
    return produce(generator, subject, f"small-{at}", *SMALL, "--acks", "1", mb=200, seconds=20)


@row("small-synced", "the same, acks=all, synced before they are answered",
     ["milena synced", "kafka flushing", "floor synced"],
     Target("requests/s", 0.8, "floor synced", "milena synced", at_least=True))
def small_synced(generator, subject, _state, at):
    return produce(generator, subject, f"small-sync-{at}", *SMALL, "--acks", "all", mb=100, seconds=5)


def latency(generator, subject, name, *arguments):
    seconds = max(1.0, 6 * generator.scale)
    load = ["latency", "--topic", name, *arguments, "--seconds", seconds, "--warmup", min(2.0, seconds)]
    return on_a_topic(generator, subject, name, lambda: common(generator.bench(subject, *load)))


@row("latency", "end to end, 1,000 records of 1 KB a second, acks=1; of the floor a produce and its answer",
     ["milena", "kafka", "floor"], Target("p50 us", 3.0, "floor"), Target("p99 us", 1 / 3, "kafka"))
def latency_idle(generator, subject, _state, at):
    if subject.name == "floor":
        one = ["--batch-bytes", 1100, "--connections", 1, "--rate", 1000, "--acks", "1"]
        return produce(generator, subject, f"lat-{at}", *one, seconds=max(1.0, 6 * generator.scale))
    return latency(generator, subject, f"lat-{at}", "--rate", 1000, "--acks", "1")


@row("latency-loaded", "end to end at half of what Kafka takes, batches of 100 records of 1 KB, acks=all, Milena synced",
     ["milena synced", "kafka"], Target("p99 us", 1.0, "kafka", "milena synced"))
def latency_loaded(generator, subject, state, at):
    if at == "warm":
        flat_out = ["--batch-bytes", 102_000, "--connections", 1, "--acks", "all"]
        for name in ("peak-cold", "peak"):
            figure = produce(generator, subject, name, *flat_out, mb=1000, seconds=5)
            state["rate"] = figure["records/s"] / 2
    rate = state.get("rate", LOADED_RATE)
    found = latency(generator, subject, f"load-{at}", "--rate", rate, "--batch-records", 100, "--acks", "all")
    return {"meant records/s": rate} | found


@row("fairness", "100 connections with 2,000 requests of 1 KB a second together, alone and beside one of 100 MB/s, acks=1",
     ["milena", "kafka"], Target("p99 ratio", 1.5))
def fairness(generator, subject, _state, at):
    seconds = max(1.0, 4 * generator.scale)
    length = ["--seconds", seconds, "--warmup", min(1.0, seconds)]
    many = ["produce", "--topic", f"many-{at}", "--partitions", 10, "--batch-bytes", 1100, "--connections", 100,
            "--rate", 2000, "--acks", "1", *length]
    one = ["produce", "--topic", f"one-{at}", "--batch-bytes", 100_000, "--connections", 1, "--rate", 100_000,
           "--acks", "1", "--seconds", seconds + 2, "--warmup", 0]

    def load():
        alone = generator.bench(subject, *many)
        big = generator.start(subject, *one)
        beside = generator.bench(subject, *many)
        told, errors = big.communicate(timeout=120)
        if big.returncode:
            raise Failure(f"the load beside failed: {errors.strip()}")
        return {
            "p99 us": beside["latency_p99_us"],
            "p99 alone us": alone["latency_p99_us"],
            "p99 ratio": beside["latency_p99_us"] / alone["latency_p99_us"],
            "p50 us": beside["latency_p50_us"],
            "p50 alone us": alone["latency_p50_us"],
            "beside MB/s": json.loads(told)["mb_per_s"],
        }

    return on_a_topic(generator, subject, f"one-{at}", load)


SYNCED_OR_NOT = ["milena", "milena synced", "kafka", "kafka flushing"]


@row("transactions", "a producer's transactions of 10 ms each, batches of 16 KB one at a time, as fast as it goes",
     SYNCED_OR_NOT, Target("records/s", 1.0, "kafka", at_least=True))
def transactions(generator, subject, _state, at):
    return transactional(generator, subject, f"txn-{at}", 10)


@row("transactions-100", "the same with transactions of 100 ms", SYNCED_OR_NOT,
     Target("records/s", 1.0, "kafka", at_least=True))
def transactions_100(generator, subject, _state, at):
    return transactional(generator, subject, f"long-txn-{at}", 100)


def transactional(generator, subject, name, commit_ms):
    seconds = max(1.0, 4 * generator.scale)
    load = ["txn", "--topic", name, "--commit", commit_ms, "--seconds", seconds, "--warmup", 1]

    def figures():
        found = generator.bench(subject, *load)
        commits = {"commit p50 us": found["commit_p50_us"], "commit p99 us": found["commit_p99_us"]}
        return common(found) | {"transactions/s": found["transactions"] / found["transaction_seconds"]} | commits

    return on_a_topic(generator, subject, name, figures)


@row("librdkafka-produce", "librdkafka's producer, 1 KB records, acks=all", ["milena", "milena synced", "kafka"])
def librdkafka_produce(generator, subject, _state, at):
    return librdkafka(generator, subject, f"rdk-{at}", "produce")


@row("librdkafka-consume", "librdkafka's consumer of the same records", ["milena", "kafka"])
def librdkafka_consume(generator, subject, _state, at):
    return librdkafka(generator, subject, f"rdk-{at}", "consume")


def librdkafka(generator, subject, name, what):
    count, size = max(20_000, int(500_000 * generator.scale)), 1000
    python = INSTALLED / "python/bin/python"

    def command(what):
        options = ["--bootstrap", subject.address, "--topic", name, "--count", count, "--size", size]
        return [python, HERE / "load.py", what, *map(str, options)]

    def load():
        if what == "consume":
            subprocess.run(command("produce"), check=True, capture_output=True)
        figure = generator.around(subject, command(what))
        return of_client(figure, count, size, figure["seconds"])

    return on_a_topic(generator, subject, name, load)


@row("java-produce", "Java's producer-perf-test, 1 KB records, acks=all", ["milena", "milena synced", "kafka"])
def java_produce(generator, subject, _state, at):
    name, count, size = f"java-{at}", max(20_000, int(500_000 * generator.scale)), 1000
    tool = ["java", "-Xmx512m", "-cp", f"{INSTALLED}/kafka-tools/lib/*", "org.apache.kafka.tools.ProducerPerformance"]
    properties = [f"bootstrap.servers={subject.address}", "acks=all", "batch.size=900000", "linger.ms=5"]
    options = ["--topic", name, "--num-records", count, "--record-size", size, "--throughput", -1]

    def load():
        cpu = cpu_seconds(subject.pid)
        command = [*tool, *map(str, options), "--producer-props", *properties]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().splitlines()[-1]
        found = re.search(r"([\d.]+) records/sec.* ([\d.]+) ms 50th.* ([\d.]+) ms 99th", told)
        figure = {"broker_cpu_s": cpu_seconds(subject.pid) - cpu, "rss_mb": resident_mb(subject.pid)}
        return of_client(figure, count, size, count / float(found[1])) | {
            "p50 us": float(found[2]) * 1000, "p99 us": float(found[3]) * 1000}

    return on_a_topic(generator, subject, name, load)


def of_client(figure, count, size, seconds):
    return {
        "records/s": count / seconds,
        "MB/s": count * size / 1e6 / seconds,
        CPU: figure["broker_cpu_s"] / (count * size / 1e9),
        "RSS MB": figure["rss_mb"],
    }


@row("idle", "start-up and idle memory; 1,000 consumers that wait for records that do not come", ["milena", "kafka"],
     Target("start ms", 50), Target("idle RSS MB", 15), Target("waiting CPU %", 0.2))
def idle(generator, subject, _state, at):
    begun = restart(subject)
    started_ms = (time.monotonic() - begun) * 1000
    rss = resident_mb(subject.pid)
    name, seconds = f"idle-{at}", max(2.0, 5 * generator.scale)

    def load():
        count = max(20, int(1000 * generator.scale))
        waiting = ["connections", "--fetch", name, "--count", count, "--wait", 60_000, "--timeout", 90]
        # They are killed in the end: a wait is not given up before its time.
        consumers = generator.start(subject, *waiting, "--seconds", 3 * seconds + 30, "--warmup", 0)
        time.sleep(seconds / 2)
        before = cpu_seconds(subject.pid)
        time.sleep(seconds)
        spent = cpu_seconds(subject.pid) - before
        consumers.kill()
        consumers.communicate()
        return {"start ms": started_ms, "idle RSS MB": rss, "waiting CPU %": 100 * spent / seconds}

    return on_a_topic(generator, subject, name, load)


@row("connections", "silent connections, 20,000 or as many as the limit on open files allows", ["milena", "kafka"],
     Target("KB each", 10), once=True)
def connections(generator, subject, _state, _at):
    restart(subject)
    # A broker keeps a quarter of the descriptors for files.
    allowed = int(0.7 * resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    count = min(allowed, max(200, int(20_000 * generator.scale)))
    before = resident_mb(subject.pid)
    load = ["connections", "--count", count, "--seconds", max(2.0, 8 * generator.scale), "--warmup", 0]
    holding = generator.start(subject, *load)
    peak = before
    while holding.poll() is None:
        peak = max(peak, resident_mb(subject.pid))
        time.sleep(0.2)
    told, errors = holding.communicate()
    if holding.returncode:
        raise Failure(f"connections to {subject.name} failed: {errors.strip()}")
    opened = json.loads(told)["open_seconds"]
    return {"connections": count, "open/s": count / opened, "KB each": (peak - before) * 1000 / count}


@row("partitions", "a fetch session of 10,000 partitions with 10 active, beside one of those 10 alone",
     ["milena", "kafka"],
     Target("cost of many", 1.5), Target("RSS MB", 100), Target("start ms", 1000), once=True)
def partitions(generator, subject, _state, _at):
    many = max(100, int(10_000 * generator.scale))
    seconds = max(1.0, 5 * generator.scale)
    length = ["--warmup", 0, "--timeout", 120]

    def load(count, topic, seconds):
        sizes = ["--count", count, "--active", 10, "--topic", topic]
        return generator.bench(subject, "partitions", *sizes, "--seconds", seconds, *length)

    # What making them costs is not the session's.
    made = {topic: load(count, topic, 0.1) for topic, count in (("few", 10), ("many", many))}
    few, all_ = load(10, "few", seconds), load(many, "many", seconds)
    rss = resident_mb(subject.pid)
    begun = restart(subject)
    return {
        "cost of many": all_["broker_cpu_s"] / all_["all_requests"] / (few["broker_cpu_s"] / few["all_requests"]),
        "make s": made["many"]["make_seconds"],
        "p50 us": all_["latency_p50_us"],
        "p99 us": all_["latency_p99_us"],
        "RSS MB": rss,
        "start ms": (time.monotonic() - begun) * 1000,
    }


@row("partitions-100k", "100,000 partitions in ten topics: made, at rest, and after a restart", ["milena"],
     Target("RSS MB", 1000), once=True)
def partitions_100k(generator, subject, _state, _at):
    each = max(100, int(10_000 * generator.scale))
    seconds = max(1.0, 5 * generator.scale)
    before, begun = cpu_seconds(subject.pid), time.monotonic()
    for at in range(10):
        generator.topic(subject, "create", f"very-many-{at}", "--partitions", str(each))
    made, took = cpu_seconds(subject.pid), time.monotonic() - begun
    time.sleep(seconds)
    idle = cpu_seconds(subject.pid) - made
    rss = resident_mb(subject.pid)
    begun = restart(subject)
    return {
        "make s": took,
        "CPU s": made - before,
        "idle CPU %": 100 * idle / seconds,
        "RSS MB": rss,
        "start ms": (time.monotonic() - begun) * 1000,
        "RSS MB after": resident_mb(subject.pid),
    }


OF_GROUPS = ["milena", "milena synced", "kafka", "kafka flushing"]
AHEAD = [Target(figure, 1.0, "kafka") for figure in ("CPU s", "RSS MB", "p50 us", "p99 us")]
AHEAD += [Target(figure, 1.0, "kafka flushing", "milena synced") for figure in ("p50 us", "p99 us")]


@row("groups", "1,000 groups of 5 members that commit every second", OF_GROUPS, *AHEAD, once=True)
def groups(generator, subject, _state, _at):
    return many_groups(generator, subject, "classic")


@row("groups-848", "the same in the consumer protocol (KIP-848)", OF_GROUPS, *AHEAD, once=True)
def groups_848(generator, subject, _state, _at):
    return many_groups(generator, subject, "consumer")


@row("group", "one group of 5,000 members over 1,000 partitions", OF_GROUPS, *AHEAD, once=True)
def group(generator, subject, _state, _at):
    return one_group(generator, subject, "classic")


@row("group-848", "the same in the consumer protocol (KIP-848)", OF_GROUPS, *AHEAD, once=True)
def group_848(generator, subject, _state, _at):
    return one_group(generator, subject, "consumer")


def many_groups(generator, subject, protocol):
    return of_groups(generator, subject, protocol, "--groups", max(10, int(1000 * generator.scale)), "--members", 5)


def one_group(generator, subject, protocol):
    members, count = max(50, int(5000 * generator.scale)), max(10, int(1000 * generator.scale))
    load = ["--groups", 1, "--members", members, "--partitions", count, "--topic", "one-group"]
    return of_groups(generator, subject, protocol, *load)


def of_groups(generator, subject, protocol, *load):
    seconds = max(2.0, 10 * generator.scale)
    make_offsets(generator, subject)
    figure = generator.bench(subject, "groups", "--protocol", protocol, *load, "--seconds", seconds, "--timeout", 120)
    return {
        "all in s": figure["all_in_seconds"],
        "commits/s": figure["requests_per_s"],
        "p50 us": figure["latency_p50_us"],
        "p99 us": figure["latency_p99_us"],
        "heartbeat p99 us": figure["heartbeat_p99_us"],
        "others": figure["others_share"],
        "CPU s": figure["broker_cpu_s"],
        "RSS MB": figure["rss_mb"],
    }


def make_offsets(generator, subject):
    """Has the topic of offsets made, and left to the page cache where other topics are: it goes by its own setting."""
    generator.bench(subject, "groups", "--groups", 1, "--members", 1, "--seconds", 0.1, "--warmup", 0)
    if subject.name == "milena":
        generator.topic(subject, "alter", "__consumer_offsets", "--config", "flush.policy=os")


@row("syscalls", "system calls for each request of 1 MB, by strace", ["milena", "floor"],
     Target("produce", 4.0), Target("fetch", 4.0), once=True)
def syscalls(generator, subject, _state, at):
    if shutil.which("strace") is None:
        raise Failure("strace is not installed: system calls cannot be counted")
    name = f"sys-{at}"
    mb = max(40, int(200 * generator.scale))
    # One connection and one request at a time: what the client does beside it changes nothing.
    one = ["--topic", name, "--connections", 1, "--mb", mb, "--seconds", 60, "--warmup", 0]

    def load():
        counts = {}
        for what, more in (("produce", ["--in-flight", 1, "--acks", "1"]), ("fetch", ["--fetch-bytes", 1_050_000])):
            with tempfile.NamedTemporaryFile("r") as told:
                command = ["strace", "-f", "-c", "-qq", "-o", told.name, "-p", str(subject.pid)]
                tracer = subprocess.Popen(command, stderr=subprocess.DEVNULL)
                time.sleep(0.5)
                figure = generator.bench(subject, "consume" if what == "fetch" else what, *one, *more)
                tracer.terminate()
                tracer.wait()
                total = [line.split() for line in told.read().splitlines() if line.rstrip().endswith(" total")]
            counts[what] = int(total[0][3]) / figure["all_requests"]
        return counts

    return on_a_topic(generator, subject, name, load)


def restart(subject):
    """Stops it in good order and starts it on what it has; returns when that began."""
    subject.broker.stop()
    begun = time.monotonic()
    subject.broker.start()
    return begun
