"""Scenarios, most of them about transactions, that have a broker of their own, like the one under test."""

import subprocess
import sys

import brokers
import console_tools
import drivers
import outbox
import transaction_tools
from scenarios import Mismatch

RECORDS, KILLS = 20_000, 3
EXACTLY_ONCE_SECONDS_MAX = 600


def tools(like, directory, log, _):
    transaction_tools.play(broker(like, directory, transaction_tools.SETTINGS), log)


def console(like, directory, log, _):
    console_tools.play(broker(like, directory, console_tools.SETTINGS), log)


def decided_by_a_database(like, directory, log, seed):
    if isinstance(like, brokers.Reference):
        raise drivers.NotAvailable("Kafka 4.4 does not keep a prepared transaction")
    outbox.play(broker(like, directory, outbox.SETTINGS), directory, log, seed)


def exactly_once(like, _, log, seed):
    """The short form: see exactly_once.py."""
    which = ["--reference"] if isinstance(like, brokers.Reference) else ["--broker", like.binary]
    command = [sys.executable, drivers.HERE / "exactly_once.py", *which, "--records", RECORDS, "--kills", KILLS, "--seed", seed]
    done = subprocess.run(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=log, text=True, timeout=EXACTLY_ONCE_SECONDS_MAX
    )
    if done.returncode != 0:
        raise Mismatch(done.stdout)


def broker(like, directory, settings):
    if isinstance(like, brokers.Reference):
        return brokers.Reference(directory, settings)
    return brokers.Broker(like.binary, directory, settings)


SCENARIOS = (
    ("Kafka's console tools", console),
    ("kafka-transactions and its dumps", tools),
    ("outbox: a database decides", decided_by_a_database),
    ("exactly once while clients and broker are killed", exactly_once),
)
