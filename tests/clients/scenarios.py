"""The one list of scenarios that every client runs.

A scenario is a function of a `Session` (one client, one scenario, a topic name of its own). It passes when it returns,
fails when it raises, and is "n.a." when the client lacks what it asks for. A scenario that yields is one around a
restart of the broker, which happens while it stands at the yield. One that goes on during a restart is told by an
event when the broker is back.
"""

import base64
import hashlib
import re
import time

from drivers import Failed, NotAvailable

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


class Mismatch(Exception):
    """What was read back differs from what was written."""


class Session:
    def __init__(self, driver, prefix, scenario):
        self.driver = driver
        self.topic = re.sub("[^a-zA-Z0-9]+", "-", f"{prefix} {scenario}")
        self.written = []
        self.committed = []

    def call(self, op, topic=None, partition=0, **arguments):
        return self.driver(op, topic=topic or self.topic, partition=partition, **arguments)

    def create(self):
        """Creates the topic, or leaves that to the first write where the client cannot."""
        try:
            self.call("create_topic", partitions=1)
        except NotAvailable:
            pass

    def write(self, records, **options):
        base = len(self.written)
        sent_at = now()
        answer = self.call("produce", records=[packed(r) for r in records], **options)
        offsets = list(range(base, base + len(records)))
        if answer["offsets"] is not None:
            check("offsets acknowledged", answer["offsets"], offsets)
        self.written += [r | {"offset": o, "sent_at": sent_at} for r, o in zip(records, offsets)]

    def read(self, start=0, count=None):
        return self.call("consume", count=len(self.written) if count is None else count, **{"from": start})["records"]

    def subscribe(self, count):
        """What the next member of this session's group reads, and commits."""
        return self.call("subscribe", group=self.topic, count=count, patience=90)["records"]

    def begin(self, producer="one", timeout_ms=60_000):
        """Begins a transaction; the first one of a producer takes the session's transactional id from any other."""
        self.call_producer(producer, "begin", transaction_timeout_ms=timeout_ms)

    def write_in_transaction(self, records, producer="one"):
        """Writes to the transaction that is open; answers the records with their offsets."""
        sent_at = now()
        answer = self.call_producer(producer, "produce", records=[packed(r) for r in records])
        return [r | {"offset": o, "sent_at": sent_at} for r, o in zip(records, answer["offsets"], strict=True)]

    def end(self, commit, producer="one"):
        self.call_producer(producer, "end", commit=commit)

    def call_producer(self, producer, op, **arguments):
        name = f"{self.topic} {producer}"
        return self.call(op, producer=name, transactional_id=self.topic, patience=120, **arguments)

    def read_transactions(self):
        """What was committed, as those see it who ask for that; and everything, as the others do."""
        for isolation, expected in (("read_committed", self.committed), ("read_uncommitted", self.written)):
            answer = self.call("consume", isolation=isolation, count=len(expected), **{"from": 0})
            check_records(answer["records"], expected)

    def read_back(self):
        """Everything that was written, in order, every field."""
        check_records(self.read(), self.written)


def record(value=b"value", key=b"key", headers=(), timestamp=None):
    return {"key": key, "value": value, "headers": [list(h) for h in headers], "timestamp": timestamp}


def some(count, size=120):
    """Distinct records that compress."""
    return [
        record((b"record %d " % i * size)[:size], b"key-%d" % (i % 7), [("number", b"%d" % i)]) for i in range(count)
    ]


def create_topic(s):
    s.call("create_topic", partitions=3, config={"retention.ms": "3600000", "max.message.bytes": "2000000"})
    eventually(lambda: check("partitions", [p["id"] for p in sorted_partitions(s)], [0, 1, 2]))


def topic_by_writing(s):
    s.write(some(1))
    s.read_back()


def describe_topic(s):
    s.create()
    s.write(some(1))  # a topic that was written to is known to all
    [partition] = sorted_partitions(s)
    leader = partition["leader"]
    check("partition", partition, {"id": 0, "leader": leader, "replicas": [leader], "isr": [leader]})


def partitions(s):
    s.call("create_topic", partitions=3)
    for p in range(3):
        s.call("produce", partition=p, records=[packed(record(b"%d" % p))])
    for p in range(3):
        [read] = s.call("consume", partition=p, count=1, **{"from": 0})["records"]
        check("value", unpack(read["value"]), b"%d" % p)


def more_partitions(s):
    s.call("create_topic", partitions=1)
    eventually(lambda: s.call("add_partitions", partitions=4))
    eventually(lambda: check("partitions", [p["id"] for p in sorted_partitions(s)], [0, 1, 2, 3]))


def topic_config(s):
    s.call("create_topic", partitions=1, config={"retention.ms": "3600000"})
    for value in ("3600000", "7200000"):
        eventually(lambda: s.call("alter_config", name="retention.ms", value=value))
        answer = eventually(lambda: s.call("describe_config", name="retention.ms"))
        check("retention.ms", answer["value"], value)


def too_large(s):
    s.call("create_topic", partitions=1, config={"max.message.bytes": "2000"})
    s.write(some(1))
    try:
        s.call("produce", records=[packed(record(b"x" * 5000))])
    except Failed:
        s.write(some(1))
        s.read_back()
    else:
        raise Mismatch("a record above max.message.bytes was taken")


def codec(name):
    def scenario(s):
        if name not in s.driver("hello")["codecs"]:
            raise NotAvailable(f"no {name} in this client")
        s.create()
        s.write(some(60), codec=name)
        s.write(some(2), codec=name)
        s.read_back()

    return scenario


def fields(*records):
    def scenario(s):
        s.create()
        s.write(list(records))
        s.read_back()

    return scenario


def acks(which):
    def scenario(s):
        s.create()
        s.write(some(1))
        s.write(some(10), acks=which)
        s.read_back()

    return scenario


def idempotent(s):
    s.create()
    kept_open = {} if s.driver.name == "kcat" else {"producer": "idempotent"}
    for _ in range(3):
        s.write(some(20), idempotent=True, **kept_open)
    s.read_back()


def megabyte_records(s):
    bulk(s, count=3, size=1_000_000)


def many_records(s):
    bulk(s, count=100_000, size=30)


def bulk(s, count, size):
    s.create()
    s.call("produce", generate={"count": count, "size": size, "seed": s.driver.name}, patience=120)
    answer = s.call("consume", count=count, digest=True, patience=120, **{"from": 0})
    check("records", answer, {"count": count, "sha256": digest(count, size, s.driver.name)})


def from_offset(s):
    s.create()
    s.write(some(20))
    s.write(some(20))
    check_records(s.read(start=13, count=27), s.written[13:])


def from_earliest(s):
    s.create()
    s.write(some(5))
    check_records(s.read(start="earliest"), s.written)


def from_latest(s):
    s.create()
    s.write(some(5))
    sent_at = now()
    new = [record(b"after the end")]
    read = s.call("tail", records=[packed(r) for r in new])["records"]
    check_records(read, [r | {"offset": 5, "sent_at": sent_at} for r in new])


def from_timestamp(s):
    at, timestamp = spread_in_time(s)
    check_records(s.read(start={"timestamp": timestamp}, count=len(s.written) - at), s.written[at:])


def offset_for_timestamp(s):
    at, timestamp = spread_in_time(s)
    check("offset", s.call("offset_for_time", timestamp=timestamp)["offset"], at)


def spread_in_time(s):
    """Writes batches some milliseconds apart; answers a timestamp between the first and the last, and its offset."""
    s.create()
    for _ in range(4):
        s.write(some(5))
        time.sleep(0.02)
    timestamps = [r["timestamp"] for r in s.read()]
    wanted = timestamps[10]
    return next(i for i, t in enumerate(timestamps) if t >= wanted), wanted


def first_and_last_offset(s):
    s.create()
    s.write(some(12))
    check("offsets", s.call("offsets"), {"earliest": 0, "latest": 12})


def group_resumes(s):
    s.create()
    s.write(some(10))
    check_records(s.subscribe(5), s.written[:5])
    s.write(some(5))
    check_records(s.subscribe(10), s.written[5:])


def transactions(s):
    s.create()
    for commit in (True, False, True, False, False, True):
        s.begin()
        records = s.write_in_transaction(some(3)) + s.write_in_transaction(some(2))
        s.end(commit)
        s.written += records
        s.committed += records if commit else []
    s.read_transactions()


def offsets_in_transactions(s):
    s.create()
    s.write(some(10))
    copies = f"{s.topic}-copies"
    s.call("create_topic", topic=copies, partitions=1)
    for offset, commit in ((4, True), (9, False), (7, True)):
        s.begin()
        s.call_producer("one", "produce", topic=copies, records=[packed(record())])
        s.call_producer("one", "send_offset", group=s.topic, offset=offset)
        s.end(commit)
    check_records(s.subscribe(3), s.written[7:])


def fenced_producer(s):
    s.create()
    s.begin("first")
    s.written += s.write_in_transaction(some(5), "first")
    s.begin("second")
    refused("a commit of a producer that was replaced", lambda: s.end(True, "first"))
    s.committed += s.write_in_transaction(some(5), "second")
    s.end(True, "second")
    s.written += s.committed
    s.read_transactions()


def timed_out_transaction(s):
    s.create()
    s.begin("slow", timeout_ms=2000)
    s.written += s.write_in_transaction(some(5), "slow")
    s.call("produce", records=[packed(record(b"behind it"))])
    # Readers get past the transaction once the broker has ended it.
    [read] = s.call("consume", isolation="read_committed", count=1, **{"from": 0})["records"]
    check("value", unpack(read["value"]), b"behind it")
    refused("a commit that comes too late", lambda: s.end(True, "slow"))
    s.begin("next")
    [committed] = s.write_in_transaction([record(b"next")], "next")
    s.end(True, "next")
    [_, read] = s.call("consume", isolation="read_committed", count=2, **{"from": 0})["records"]
    check_records([read], [committed])


def refused(what, attempt):
    try:
        attempt()
    except Failed:
        return
    raise Mismatch(f"{what} was taken")


def delete_records(s):
    s.create()
    s.write(some(10))
    low = s.call("delete_records", before=7)["low_watermark"]
    check("low watermark", low, None if s.driver.name == "kafkajs" else 7)
    check("earliest", s.call("offsets")["earliest"], 7)
    check_records(s.read(start="earliest", count=3), s.written[7:])


def delete_topic(s):
    s.create()
    s.write(some(3))
    s.call("delete_topic")
    eventually(lambda: s.call("create_topic", partitions=1))
    eventually(lambda: check("latest", s.call("offsets")["latest"], 0))


def read_after_restart(s):
    s.create()
    s.write(some(30))
    yield
    s.read_back()
    s.written, before = [], len(s.written)
    answer = s.call("produce", records=[packed(r) for r in some(5)])
    if answer["offsets"] is not None:
        check("offsets after the restart", answer["offsets"], list(range(before, before + 5)))


def group_over_restart(s):
    s.create()
    s.write(some(10))
    check_records(s.subscribe(4), s.written[:4])
    yield
    check_records(s.subscribe(6), s.written[4:])


def writing_over_restart(s, restarted):
    """Writes without pause while the broker ends and starts again: nothing lost, doubled or out of order."""
    s.create()
    while True:
        last = restarted.is_set()
        s.write(some(20), idempotent=True, producer="without pause", patience=120)
        if last:
            break
    s.read_back()


def producer_over_restart(s):
    s.create()
    s.write(some(10), producer="over restart")
    yield
    s.write(some(10), producer="over restart")
    eventually(s.read_back)


def transaction_over_restart(s):
    s.create()
    s.begin()
    s.written += s.write_in_transaction(some(5))
    yield
    s.written += s.write_in_transaction(some(5))
    s.end(True)
    s.begin()
    s.written += s.write_in_transaction(some(5))
    s.end(True)
    s.committed = s.written
    eventually(s.read_transactions)


QUIET_ROUNDS = 3


class Group:
    """Members of one group that read a topic of four partitions, some records at a time in each."""

    def __init__(self, s):
        self.s, self.written = s, 0
        s.call("create_topic", partitions=4)
        self.write(10)

    def write(self, count):
        for p in range(4):
            self.s.call("produce", partition=p, records=[packed(r) for r in some(count)])
        self.written += count

    def join(self, *members):
        for member in members:
            self.s.call("join_group", group=self.s.topic, member=member)

    def leave(self, *members):
        for member in members:
            self.s.call("leave", member=member)

    def read(self, *members, start):
        """Has the members read and commit all from offset `start` on, with as many partitions each; nothing older."""
        taken, assigned = set(), {}

        def look():
            for member in members:
                answer = self.s.call("poll", member=member)
                taken.update(map(tuple, answer["taken"]))
                assigned[member] = answer["assigned"]
            check("partitions assigned", sorted(sum(assigned.values(), [])), [0, 1, 2, 3])
            check("partitions each", [len(a) for a in assigned.values()], [4 // len(members)] * len(members))
            check("records read", sorted(taken), [(p, o) for p in range(4) for o in range(start, self.written)])

        eventually(look, 60)
        self.commit(*members)

    def commit(self, *members):
        """Commits until nothing more comes: what a member read before the group moved its partitions comes again."""
        quiet = 0
        while quiet < QUIET_ROUNDS:
            again = [self.s.call("poll", member=member)["taken"] for member in members]
            for member in members:
                self.s.call("commit", member=member)
            quiet = 0 if any(again) else quiet + 1

    def settle(self, *members):
        """Waits until each member has its share, so that nothing is read by one and given to another."""

        def look():
            shares = [self.s.call("poll", member=member)["assigned"] for member in members]
            check("partitions assigned", sorted(sum(shares, [])), [0, 1, 2, 3])
            check("partitions each", [len(share) for share in shares], [4 // len(members)] * len(members))

        eventually(look, 60)


def members_share(s):
    group = Group(s)
    group.join("a")
    group.read("a", start=0)
    group.join("b")
    group.settle("a", "b")
    group.write(10)
    group.read("a", "b", start=10)
    group.leave("a")
    group.settle("b")
    group.write(10)
    group.read("b", start=20)
    group.leave("b")


def members_over_restart(s):
    group = Group(s)
    group.join("a", "b")
    group.read("a", "b", start=0)
    yield
    group.write(10)
    group.read("a", "b", start=10)
    group.leave("a", "b")
    group.join("c")
    group.write(10)
    group.read("c", start=20)
    group.leave("c")


FIRST = [
    ("create topic", create_topic),
    ("create by writing", topic_by_writing),
    ("describe topic", describe_topic),
    ("three partitions", partitions),
    ("more partitions", more_partitions),
    ("topic config", topic_config),
    ("too large a record", too_large),
    *((f"codec: {name}", codec(name)) for name in CODECS),
    ("null key", fields(record(key=None), record(key=None, value=b"second"))),
    ("null value", fields(record(value=None), record())),
    ("empty value", fields(record(value=b""), record())),
    ("empty key", fields(record(key=b""), record())),
    ("headers", fields(record(headers=[("a", b"1"), ("b", b""), ("c", b"three")]), record())),
    ("repeated headers", fields(record(headers=[("a", b"1"), ("b", b"2"), ("a", b"3")]))),
    ("null header", fields(record(headers=[("a", None)]))),
    ("binary header", fields(record(headers=[("a", bytes(range(256)))]))),
    ("timestamps", fields(*(record(timestamp=1_700_000_000_000 + ms) for ms in (5, 1, 99, 0)))),
    ("1 MB records", megabyte_records),
    ("acks 0", acks("0")),
    ("acks 1", acks("1")),
    ("acks all", acks("all")),
    ("idempotent", idempotent),
    ("from an offset", from_offset),
    ("from the start", from_earliest),
    ("from the end", from_latest),
    ("from a time", from_timestamp),
    ("offset of a time", offset_for_timestamp),
    ("first, last offset", first_and_last_offset),
    ("group resumes", group_resumes),
    ("group of members", members_share),
    ("transactions", transactions),
    ("offsets in transactions", offsets_in_transactions),
    ("fenced producer", fenced_producer),
    ("timed-out transaction", timed_out_transaction),
    ("delete records", delete_records),
    ("delete topic", delete_topic),
    ("100,000 records", many_records),
]
AROUND_RESTART = [
    ("read after", read_after_restart),
    ("producer over", producer_over_restart),
    ("group over", group_over_restart),
    ("transaction over", transaction_over_restart),
    ("group of members over", members_over_restart),
]
DURING_RESTART = [("writing over", writing_over_restart)]


def eventually(attempt, seconds=15):
    """Repeats what may fail while an answer is still on its way."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return attempt()
        except (Failed, Mismatch):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def sorted_partitions(s):
    return sorted(s.call("describe_topic")["partitions"], key=lambda p: p["id"])


def check(what, got, expected):
    if got != expected:
        raise Mismatch(f"{what}: {str(got)[:200]} instead of {str(expected)[:200]}")


def check_records(read, expected):
    check("count", len(read), len(expected))
    for got, wanted in zip(read, expected):
        for name in ("offset", "key", "value", "headers"):
            check(f"{name} at {wanted['offset']}", got[name], (wanted | packed(wanted))[name])
        if wanted["timestamp"] is not None:
            check(f"timestamp at {wanted['offset']}", got["timestamp"], wanted["timestamp"])
        elif not wanted["sent_at"] - 1000 <= got["timestamp"] <= now() + 1000:
            raise Mismatch(f"timestamp {got['timestamp']} at {wanted['offset']} is not of the time of writing")


def digest(count, size, seed):
    """What drivers answer for generated records that start at offset 0."""
    sha256 = hashlib.sha256()
    for i in range(count):
        key, unit = b"%d" % i, f"{seed}:{i}:".encode()
        value = (unit * (size // len(unit) + 1))[:size]
        sha256.update(b"%d,%d,%d\n" % (i, len(key), len(value)) + key + value)
    return sha256.hexdigest()


def packed(r):
    return {
        "key": pack(r["key"]),
        "value": pack(r["value"]),
        "headers": [[name, pack(value)] for name, value in r["headers"]],
        "timestamp": r["timestamp"],
    }


def pack(raw):
    return None if raw is None else base64.b64encode(raw).decode()


def unpack(text):
    return None if text is None else base64.b64decode(text)


def now():
    return int(time.time() * 1000)
