"""Kafka's own tools on what transactions leave behind: kafka-transactions on a broker that runs, and DumpLogSegments on
the coordinator's log, the index of aborted ranges and the snapshot of producers.
"""

import json
import subprocess

import drivers
from brokers import DUMP_TOOL
from scenarios import Mismatch, check, packed, some

TOPIC = "tools"
SETTINGS = ("transaction.state.log.num.partitions=1",)
COMMAND = ["java", "-Xmx384m", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=ERROR", "-cp", f"{DUMP_TOOL}/*"]
STATES = {"committed": "CompleteCommit", "aborted": "CompleteAbort", "open": "Ongoing"}
ABORTED = [(4, 7), (8, 11)]  # each is three records and a marker, and the committed one was the first


def play(broker, log):
    """Runs on a broker of its own, which is started and stopped here."""
    broker.start()
    driver = drivers.Driver("java", broker.address, log)
    try:
        driver("create_topic", topic=TOPIC, partitions=1, config={})
        for name in STATES:
            transaction(driver, name)
        transactions(lambda *words: table(broker.address, *words))
    finally:
        driver.stop()
        broker.stop()
    dumps(broker.data)


def transaction(driver, name):
    driver("begin", producer=name, transactional_id=name, transaction_timeout_ms=600_000)
    records = [packed(one) for one in some(3)]
    driver("produce", topic=TOPIC, partition=0, producer=name, codec="none", acks="all", idempotent=True, records=records)
    if name != "open":
        driver("end", producer=name, commit=name == "committed")


def transactions(tool):
    place = ["--topic", TOPIC, "--partition", "0"]
    listed = tool("list")
    check("listed", {row["TransactionalId"]: row["TransactionState"] for row in listed}, STATES)
    check("older than a minute", tool("list", "--duration-filter", "60000"), [])
    check("by a pattern", len(tool("list", "--transactional-id-pattern", "(open|abort.*)")), 2)
    [found] = tool("describe", "--transactional-id", "open")
    check("described", (found["TransactionState"], found["TopicPartitions"]), ("Ongoing", f"{TOPIC}-0"))
    check("where transactions began", [row["CurrentTransactionStartOffset"] for row in tool("describe-producers", *place)], ["None", "None", "8"])
    check("hanging", tool("find-hanging", "--broker-id", found["CoordinatorId"]), [])
    tool("abort", *place, "--start-offset", "8")
    check("open after the abort", {row["CurrentTransactionStartOffset"] for row in tool("describe-producers", *place)}, {"None"})


def dumps(data):
    states = {}
    [log] = (data / "__transaction_state-0").glob("*.log")
    for line in dump(log, "--transaction-log-decoder"):
        if line.startswith("|"):
            key, _, value = line.partition(" key: ")[2].partition(" payload: ")
            states[json.loads(key)["data"]["transactionalId"]] = json.loads(value)["data"]["transactionStatus"]
    check("states in the coordinator's log", states, {"committed": 4, "aborted": 5, "open": 1})
    [index] = (data / f"{TOPIC}-0").glob("*.txnindex")
    check("aborted", [(row["firstOffset"], row["lastOffset"]) for row in map(fields, dump(index)) if "firstOffset" in row], [tuple(map(str, one)) for one in ABORTED])
    snapshot = max((data / f"{TOPIC}-0").glob("*.snapshot"))
    producers = [row for row in map(fields, dump(snapshot)) if "producerId" in row]
    check("producers", [row["currentTxnFirstOffset"] for row in producers], ["OptionalLong.empty"] * len(STATES))


def table(address, *words):
    """The rows that kafka-transactions prints, by column."""
    head, *rows = run("TransactionsCommand", "--bootstrap-server", address, *words) or [""]
    names = [name.strip() for name in head.split("\t")]
    return [dict(zip(names, (cell.strip() for cell in row.split("\t")))) for row in rows]


def dump(file, *options):
    return run("DumpLogSegments", *options, "--files", file)


def fields(line):
    words = line.split()
    return {name.removesuffix(":"): value for name, value in zip(words, words[1:]) if name.endswith(":")}


def run(tool, *words):
    command = [*COMMAND, f"org.apache.kafka.tools.{tool}", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Mismatch(f"{tool} {words}: {done.stdout[-500:]}{done.stderr[-500:]}")
    return done.stdout.splitlines()
