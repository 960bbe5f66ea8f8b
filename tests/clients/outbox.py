"""A database and the log commit together (KIP-939), whoever is killed in between: the outbox problem.

Each round writes records in a transaction of the log, prepares it, and commits to SQLite what it wrote and how the
prepared transaction is called: that is the decision. Client, broker or both are killed with SIGKILL at a point that a
seed chooses. Whoever comes back ends the transaction that was left open as the database has it. In the end committed
readers of the log see what the database has, and nothing else.
"""

import contextlib
import itertools
import random
import signal
import sqlite3

import drivers
from scenarios import Mismatch, check, packed, record, unpack

TOPIC, PRODUCER = "orders", "outbox"
SETTINGS = (
    "unstable.api.versions.enable=true",
    "transaction.two.phase.commit.enable=true",
    "transaction.state.log.num.partitions=5",
)
# Where a round ends early; "end": it does not.
POINTS = ("written", "prepared", "decided", "ended", "end")


class Database:
    """Rows that are committed, and the prepared transaction that they were committed with."""

    def __init__(self, path):
        self.path = path
        with self.open() as db:
            db.execute("CREATE TABLE orders (id INTEGER)")
            db.execute("CREATE TABLE log (prepared TEXT)")

    def open(self):
        return contextlib.closing(sqlite3.connect(self.path, isolation_level=None))

    def commit(self, ids, prepared):
        with self.open() as db:
            db.execute("BEGIN")
            db.executemany("INSERT INTO orders VALUES (?)", [(one,) for one in ids])
            db.execute("INSERT INTO log VALUES (?)", (prepared,))
            db.execute("COMMIT")

    def has(self, prepared):
        with self.open() as db:
            return db.execute("SELECT count(*) FROM log WHERE prepared = ?", (prepared,)).fetchone()[0] > 0

    def orders(self):
        with self.open() as db:
            return [one for (one,) in db.execute("SELECT id FROM orders ORDER BY id")]


def play(broker, directory, log, seed):
    """Runs on a broker of its own, which is started and stopped here."""
    dice = random.Random(seed)
    database = Database(directory / "orders.db")
    numbers = itertools.count()
    broker.start()
    driver = drivers.Driver("java", broker.address, log)
    try:
        driver("create_topic", topic=TOPIC, partitions=1, config={})
        resume(driver, database, keep=False)
        # Each point comes up, in an order that the seed decides.
        for point in [*dice.sample(POINTS, len(POINTS)), "end"]:
            write(driver, database, [next(numbers) for _ in range(dice.randint(1, 5))], point)
            if point == "end":
                continue
            driver.stop()
            if dice.random() < 0.5:
                broker.stop(signal.SIGKILL)
                broker.start()
            driver = drivers.Driver("java", broker.address, log)
            resume(driver, database, keep=True)
        # The last one is from the end of the log.
        read = driver("consume", topic=TOPIC, partition=0, count=len(database.orders()), isolation="read_committed", **{"from": "earliest"})
        check("what readers of committed records see", sorted(int(unpack(one["value"])) for one in read["records"]), database.orders())
    finally:
        driver.stop()
        broker.stop()


def write(driver, database, ids, point):
    """One transaction, until that point."""
    driver("begin", producer=PRODUCER)
    records = [packed(record(value=b"%d" % one)) for one in ids]
    driver("produce", topic=TOPIC, partition=0, producer=PRODUCER, codec="none", acks="all", idempotent=True, records=records)
    if point == "written":
        return
    prepared = driver("prepare", producer=PRODUCER)["prepared"]
    if not prepared:
        raise Mismatch("a prepared transaction has no name")
    if point == "prepared":
        return
    database.commit(ids, prepared)
    if point == "decided":
        return
    driver("end", producer=PRODUCER, commit=True)


def resume(driver, database, keep):
    """Ends what was left open as the database has it."""
    left = driver("open", producer=PRODUCER, transactional_id=PRODUCER, keep=keep)["prepared"]
    if left:
        driver("end", producer=PRODUCER, commit=database.has(left))
