#!/usr/bin/env python3
"""Asks Milena and Apache Kafka the same questions about transactions, mostly wrong ones, and prints where they differ.

    .clients/python/bin/python tests/clients/txn_answers.py --broker target/debug/milena

As group_answers.py. Exit code 0: no difference but the known.
"""

import sys
import time

from kafka.protocol import admin
from kafka.protocol import metadata
from kafka.protocol import producer

from answers import Interview, compare

SETTINGS = (
    "transaction.state.log.num.partitions=3",
    "offsets.topic.num.partitions=3",
    "unstable.api.versions.enable=true",
    "transaction.two.phase.commit.enable=true",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms=100",
)
# Part of the case and of the path, and why that is to be so.
KNOWN = (
    ("find: transactions", ".error_message", "Kafka says that no error is one named NONE"),
    ("init: keep", "", "Kafka 4.4 does not keep a transaction"),
)
TOPIC = "answers"
LOADING, NOT_COORDINATOR, CONCURRENT = 14, 16, 51

INIT, ADD, OFFSETS = producer.InitProducerIdRequest, producer.AddPartitionsToTxnRequest, producer.AddOffsetsToTxnRequest
END, MARKERS = producer.EndTxnRequest, producer.WriteTxnMarkersRequest
DESCRIBE, LIST = admin.DescribeTransactionsRequest, admin.ListTransactionsRequest
FIND = metadata.FindCoordinatorRequest


def initializing(txn, known=(-1, -1), timeout=60_000):
    fields = {"transactional_id": txn, "transaction_timeout_ms": timeout}
    return {**fields, "producer_id": known[0], "producer_epoch": known[1]}


def producer_of(interview, txn, known=(-1, -1), timeout=60_000):
    """Takes up a transactional id, once its coordinator is ready."""
    while True:
        told = interview.main.ask(INIT, 5, **initializing(txn, known, timeout))
        if told["error_code"] not in (LOADING, NOT_COORDINATOR, CONCURRENT):
            return told["producer_id"], told["producer_epoch"]
        time.sleep(0.05)


def adding(version, txn, by, partitions=(0,), topics=None, verify=False):
    part = ADD.AddPartitionsToTxnTransaction.AddPartitionsToTxnTopic
    topics = [part(name=name, partitions=list(p)) for name, p in (topics or [(TOPIC, partitions)])]
    if version < 4:
        names = ("transactional_id", "producer_id", "producer_epoch", "topics")
        return dict(zip((f"v3_and_below_{name}" for name in names), (txn, *by, topics)))
    one = ADD.AddPartitionsToTxnTransaction(
        transactional_id=txn, producer_id=by[0], producer_epoch=by[1], verify_only=verify, topics=topics
    )
    return {"transactions": [one]}


def ending(txn, by, commit):
    return {"transactional_id": txn, "producer_id": by[0], "producer_epoch": by[1], "committed": commit}


def settle(interview, txn):
    """Waits until nothing of a transaction is left to do."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = interview.main.ask(DESCRIBE, 0, transactional_ids=[txn])["transaction_states"][0]
        if not found["transaction_state"].startswith("Prepare"):
            return found
        time.sleep(0.02)
    raise TimeoutError(txn)


def bumped(by, epochs=1):
    return by[0], by[1] + epochs


def strangers(interview):
    """Transactional ids and producers that are not there."""
    known = producer_of(interview, "known")
    for version in range(6):
        interview.ask("init: empty id", INIT, version, **initializing(""))
        for timeout in (0, -1, 900_000, 900_001, 2**31 - 1):
            fields = initializing(f"timeout{version}", timeout=timeout)
            interview.ask(f"init: timeout {timeout}", INIT, version, **fields)
        if version >= 3:
            for name, who in (
                ("id only", (known[0], -1)),
                ("epoch only", (-1, 0)),
                ("stranger", (known[0] + 12345, 0)),
                ("newer", bumped(known, 7)),
            ):
                interview.ask(f"init: {name}", INIT, version, **initializing("known", who))
            interview.ask("init: new id, known producer", INIT, version, **initializing(f"new{version}", (7, 7)))
    for version in range(6):
        for name, txn, who in (
            ("empty id", "", known),
            ("absent id", "absent", known),
            ("stranger", "known", (known[0] + 12345, 0)),
            ("newer", "known", bumped(known)),
            ("no producer", "known", (-1, -1)),
        ):
            interview.ask(f"add: {name}", ADD, version, **adding(version, txn, who))
            if version >= 4:
                interview.ask(f"verify: {name}", ADD, version, **adding(version, txn, who, verify=True))
            for commit in (True, False):
                interview.ask(f"end: {name}, {commit}", END, version, **ending(txn, who, commit))
            if version <= 4:
                fields = {"transactional_id": txn, "producer_id": who[0], "producer_epoch": who[1], "group_id": "g"}
                interview.ask(f"offsets: {name}", OFFSETS, version, **fields)
        for name, topics in (
            ("unknown topic", [("unknown", (0,))]),
            ("unknown partition", [(TOPIC, (0, 99))]),
            ("negative partition", [(TOPIC, (-1,))]),
            ("some unknown", [(TOPIC, (0, 1)), ("unknown", (0,))]),
        ):
            interview.ask(f"add: {name}", ADD, version, **adding(version, "known", known, topics=topics))
            interview.ask(f"add: {name}, absent id", ADD, version, **adding(version, "absent", known, topics=topics))
    for commit in (True, False):
        for version in (0, 2, 4):
            interview.ask(f"end: empty transaction, {commit}", END, version, **ending("known", known, commit))
    interview.ask("end: empty transaction, True", END, 5, **ending("known", known, True))
    interview.ask("describe", DESCRIBE, 0, transactional_ids=["known", "absent", ""])
    interview.ask("describe: nothing", DESCRIBE, 0, transactional_ids=[])


def first_version(interview):
    """Producers whose epoch stays."""
    for version in range(5):
        txn = f"first{version}"
        by = producer_of(interview, txn)
        if version < 4:
            interview.ask("first: add", ADD, version, **adding(version, txn, by))
            interview.ask("first: add again", ADD, version, **adding(version, txn, by))
        else:
            interview.ask("first 4: add", ADD, 3, **adding(3, txn, by))
        interview.ask(f"first: open {version}", DESCRIBE, 0, transactional_ids=[txn])
        for commit in (True, False):
            interview.ask(f"first: end, {commit}", END, version, **ending(txn, by, commit))
            settle(interview, txn)
            interview.ask(f"first: end again, {commit}", END, version, **ending(txn, by, commit))
            interview.ask(f"first: other end, {commit}", END, version, **ending(txn, by, not commit))
            interview.main.ask(ADD, 3, **adding(3, txn, by))
        interview.ask(f"first: end by another epoch v{version} as", END, version, **ending(txn, bumped(by), True))
        interview.ask(f"first: at last {version}", DESCRIBE, 0, transactional_ids=[txn])


def second_version(interview):
    """Producers that get an epoch with every end."""
    by = producer_of(interview, "second")
    for number, commit in enumerate((True, False, True)):
        case = f"second {number}"
        for version in (4, 5):
            interview.ask(f"{case}: verify", ADD, version, **adding(version, "second", by, verify=True))
            interview.ask(f"{case}: add", ADD, version, **adding(version, "second", by, (0, 1)))
            interview.ask(f"{case}: verify added", ADD, version, **adding(version, "second", by, (0, 1), verify=True))
        interview.ask(f"{case}: end", END, 5, **ending("second", by, commit))
        settle(interview, "second")
        interview.ask(f"{case}: end again", END, 5, **ending("second", by, commit))
        interview.ask(f"{case}: other end", END, 5, **ending("second", by, not commit))
        interview.ask(f"{case}: older epoch", END, 5, **ending("second", bumped(by, -1), commit))
        interview.ask(f"{case}: end as before", END, 4, **ending("second", by, commit))
        interview.ask(f"{case}: add after", ADD, 5, **adding(5, "second", by))
        interview.ask(f"{case}: verify after", ADD, 5, **adding(5, "second", by, verify=True))
        by = bumped(by)
        interview.ask(f"{case}: commit of nothing", END, 5, **ending("second", by, True))
        interview.ask(f"{case}: described", DESCRIBE, 0, transactional_ids=["second"])
    interview.ask("second: abort of nothing", END, 5, **ending("second", by, False))
    settle(interview, "second")
    interview.ask("second: abort of nothing, described", DESCRIBE, 0, transactional_ids=["second"])
    interview.ask("second: abort of nothing again", END, 5, **ending("second", by, False))
    fresh = producer_of(interview, "fresh")
    interview.ask("second: abort of a fresh one", END, 5, **ending("fresh", fresh, False))
    settle(interview, "fresh")
    interview.ask("second: fresh, described", DESCRIBE, 0, transactional_ids=["fresh"])


def mixed(interview):
    """A transaction that begins by one version's rules and ends by the other's."""
    for first, last in ((3, 5), (5, 4)):
        txn = f"mixed{first}"
        by = producer_of(interview, txn)
        interview.ask(f"mixed {first}: add", ADD, first, **adding(first, txn, by))
        interview.ask(f"mixed {first}: end", END, last, **ending(txn, by, True))
        settle(interview, txn)
        interview.ask(f"mixed {first}: end again", END, last, **ending(txn, by, True))
        interview.ask(f"mixed {first}: described", DESCRIBE, 0, transactional_ids=[txn])


def fenced(interview):
    """A second producer takes the id while the first has a transaction open."""
    for version in (2, 3, 4, 5):
        txn = f"fenced{version}"
        first = producer_of(interview, txn)
        interview.main.ask(ADD, 3, **adding(3, txn, first))
        interview.ask("fenced: init", INIT, version, **initializing(txn))
        settle(interview, txn)
        interview.ask(f"fenced: aborted {version}", DESCRIBE, 0, transactional_ids=[txn])
        for end_version in (1, 4, 5):
            for commit in (True, False):
                case = f"fenced {version}: end by the first, {commit}"
                interview.ask(case, END, end_version, **ending(txn, first, commit))
        interview.ask(f"fenced {version}: add by the first", ADD, 3, **adding(3, txn, first))
        second = producer_of(interview, txn)
        interview.ask(f"fenced {version}: described", DESCRIBE, 0, transactional_ids=[txn])
        for again in (3, 4, 5):
            interview.ask(f"fenced {version}: the first comes back", INIT, again, **initializing(txn, first))
        interview.ask(f"fenced {version}: the second goes on", INIT, 5, **initializing(txn, second))
        interview.ask(f"fenced {version}: and again", INIT, 5, **initializing(txn, second))
        interview.ask(f"fenced {version}: at last", DESCRIBE, 0, transactional_ids=[txn])


def two_phases(interview):
    """InitProducerId v6 (KIP-939), where both brokers are told to serve it."""
    for two_phases in (False, True):
        for timeout in (0, -1, 60_000, 900_001, 2**31 - 1):
            txn = f"two-phases-{two_phases}-{timeout}"
            fields = {**initializing(txn, timeout=timeout), "enable2_pc": two_phases, "keep_prepared_txn": False}
            interview.ask(f"init: two phases {two_phases}, timeout {timeout}", INIT, 6, **fields)
            interview.ask(f"describe: {txn}", DESCRIBE, 0, transactional_ids=[txn])
    open_one = {**initializing("two-phases-True-60000"), "enable2_pc": True, "keep_prepared_txn": False}
    by = producer_of(interview, open_one["transactional_id"])
    for part in ((0,), (1,)):
        interview.ask(f"add: two phases, {part}", ADD, 3, **adding(3, open_one["transactional_id"], by, part))
    interview.ask("init: two phases, one open", INIT, 6, **open_one)
    settle(interview, open_one["transactional_id"])
    interview.ask("init: two phases, one ended", INIT, 6, **open_one)
    for name, txn in (("empty id", ""), ("no id", None)):
        interview.ask(f"init: two phases, {name}", INIT, 6, **{**open_one, "transactional_id": txn})
    interview.ask("init: keep", INIT, 6, **{**open_one, "keep_prepared_txn": True})


def timed_out(interview):
    """Nobody ends it in time."""
    by = producer_of(interview, "slow", timeout=500)
    interview.main.ask(ADD, 3, **adding(3, "slow", by))
    deadline = time.monotonic() + 30
    while settle(interview, "slow")["transaction_state"] == "Ongoing" and time.monotonic() < deadline:
        time.sleep(0.1)
    interview.ask("slow: described", DESCRIBE, 0, transactional_ids=["slow"])
    for version in (1, 4, 5):
        for commit in (True, False):
            interview.ask(f"slow: end, {commit}", END, version, **ending("slow", by, commit))
    for version in (1, 3):
        interview.ask("slow: add", ADD, version, **adding(version, "slow", by))
    for version in (3, 5):
        interview.ask("slow: goes on", INIT, version, **initializing("slow", by))
    interview.ask("slow: at last", DESCRIBE, 0, transactional_ids=["slow"])


def offsets(interview):
    for version in range(5):
        txn = f"offsets{version}"
        by = producer_of(interview, txn)
        fields = {"transactional_id": txn, "producer_id": by[0], "producer_epoch": by[1]}
        interview.ask("offsets: add", OFFSETS, version, **fields, group_id="g")
        interview.ask("offsets: empty group", OFFSETS, version, **fields, group_id="")
        interview.ask(f"offsets {version}: described", DESCRIBE, 0, transactional_ids=[txn])
        interview.ask(f"offsets {version}: end", END, 4, **ending(txn, by, True))
        settle(interview, txn)


def lists(interview):
    for version in range(3):
        for name, fields in (
            ("all", {}),
            ("ongoing", {"state_filters": ["Ongoing"]}),
            ("states", {"state_filters": ["Empty", "CompleteCommit", "Dead", "PrepareEpochFence", "Nonsense"]}),
            ("nonsense", {"state_filters": ["Nonsense", "ongoing"]}),
            ("no such producer", {"producer_id_filters": [987_654_321]}),
        ):
            fields = {"state_filters": [], "producer_id_filters": [], **fields}
            interview.ask(f"list: {name}", LIST, version, **fields)
        fields = {"state_filters": [], "producer_id_filters": []}
        if version >= 1:
            interview.ask("list: old", LIST, version, **fields, duration_filter=3_600_000)
        if version >= 2:
            for pattern in ("first.*", "first", "(", "", ".*[35]", "(?i)FIRST0"):
                interview.ask(f"list: {pattern!r}", LIST, version, **fields, transactional_id_pattern=pattern)


def markers(interview):
    part = MARKERS.WritableTxnMarker
    topics = [(TOPIC, [0, 99]), ("unknown", [0])]
    by = producer_of(interview, "markers")
    for version in (1, 2):
        for commit in (True, False):
            one = part(
                producer_id=by[0],
                producer_epoch=by[1],
                transaction_result=commit,
                coordinator_epoch=0,
                topics=[part.WritableTxnMarkerTopic(name=n, partition_indexes=p) for n, p in topics],
            )
            interview.ask(f"markers: {commit}", MARKERS, version, markers=[one])
        interview.ask("markers: none", MARKERS, version, markers=[])


def find(interview):
    for version in range(1, 7):
        fields = {"key": "k"} if version < 4 else {"coordinator_keys": ["a", "", "k"]}
        interview.ask("find: transactions", FIND, version, key_type=1, **fields)


def interview(broker):
    asked = Interview(broker.port)
    topic = admin.CreateTopicsRequest.CreatableTopic(
        name=TOPIC, num_partitions=2, replication_factor=1, assignments=[], configs=[]
    )
    asked.main.ask(admin.CreateTopicsRequest, 4, topics=[topic], timeout_ms=30_000, validate_only=False)
    for kind in (1, 0):
        while asked.main.ask(FIND, 3, key="k", key_type=kind)["error_code"] != 0:
            time.sleep(0.1)
    for part in (find, strangers, first_version, second_version, mixed, fenced, two_phases, timed_out, offsets, markers, lists):
        part(asked)
    return asked.answers


if __name__ == "__main__":
    sys.exit(compare(__doc__, SETTINGS, interview, KNOWN))
