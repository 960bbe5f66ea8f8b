"""Asks Milena and Apache Kafka the same questions, and prints where their answers differ.

Needs kafka-python (for its message definitions) and tests/reference. Ids that a broker makes up are compared by the
order in which they appear.
"""

import argparse
import contextlib
import itertools
import re
import socket
import struct
import sys
import tempfile

import brokers

SECONDS_MAX = 30
INVENTED = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|^[A-Za-z0-9_-]{22}$")
PRODUCER_IDS = {"producer_id"}
TIMES = {"transaction_start_time_ms"}
IGNORED = {"throttle_time_ms", "port"}
# Where Kafka answers in the order of a hash table.
ORDERED_BY = ("group_id", "member_id", "partition_index", "transactional_id", "name", "topic")


class Connection:
    """One socket. Requests are sent in one version and answers read in it."""

    correlation = itertools.count(1)

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), SECONDS_MAX)
        self.sent = []

    def send(self, kind, version, **fields):
        request = kind(version=version, **fields)
        request.with_header(correlation_id=next(self.correlation), client_id="answers")
        self.socket.sendall(request.encode(framed=True, header=True))
        self.sent.append((response_of(kind), version))

    def receive(self):
        kind, version = self.sent.pop(0)
        (size,) = struct.unpack(">i", self.read(4))
        return kind.decode(self.read(size), version=version, header=True).to_dict()

    def ask(self, kind, version, **fields):
        self.send(kind, version, **fields)
        return self.receive()

    def read(self, size):
        parts = bytearray()
        while len(parts) < size:
            part = self.socket.recv(size - len(parts))
            if not part:
                raise ConnectionError("the broker closed the connection")
            parts += part
        return bytes(parts)


class Interview:
    """Asks one broker and keeps its answers by case, without what may differ."""

    def __init__(self, port):
        self.port = port
        self.answers = {}
        self.invented = {}
        self.main = self.connect()

    def connect(self):
        return Connection(self.port)

    def note(self, case, answer):
        assert case not in self.answers, f"{case} is asked twice"
        self.answers[case] = self.plain(answer)
        return answer

    def ask(self, case, kind, version, **fields):
        """Asks and notes; a closed connection is an answer, too."""
        try:
            return self.note(f"{case} v{version}", self.main.ask(kind, version, **fields))
        except ConnectionError:
            self.main = self.connect()
            return self.note(f"{case} v{version}", {"closed": True})

    def ask_all(self, case, kind, versions, **fields):
        for version in versions:
            self.ask(case, kind, version, **fields)

    def field(self, key, value):
        if key in PRODUCER_IDS and value >= 0:
            return self.invented.setdefault(value, f"<{len(self.invented)}>")
        if key in TIMES and value > 0:
            return "<time>"
        return self.plain(value)

    def plain(self, value):
        if isinstance(value, dict):
            return {key: self.field(key, part) for key, part in value.items() if key not in IGNORED}
        if isinstance(value, list):
            parts = [self.plain(part) for part in value]
            for key in ORDERED_BY:
                if all(isinstance(part, dict) and key in part for part in parts):
                    return sorted(parts, key=lambda part: part[key])
            return parts
        if isinstance(value, str):
            return INVENTED.sub(lambda found: self.invented.setdefault(found[0], f"<{len(self.invented)}>"), value)
        return value


def response_of(kind):
    return getattr(sys.modules[kind.__module__], kind.__name__.replace("Request", "Response"))


def differences(ours, theirs, path=""):
    """Where two answers differ: path, ours, theirs."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(ours.keys() | theirs.keys()):
            yield from differences(ours.get(key), theirs.get(key), f"{path}.{key}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, (mine, other) in enumerate(zip(ours, theirs)):
            yield from differences(mine, other, f"{path}[{index}]")
    elif ours != theirs:
        yield path, ours, theirs


def compare(about, settings, interview, known):
    """Has both interviewed; answers whether something differs that is not `known`."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--broker", required=True, help="Milena's binary")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        answers = []
        for broker in (
            brokers.Broker(arguments.broker, f"{folder}/milena", settings),
            brokers.Reference(f"{folder}/kafka", settings),
        ):
            broker.directory.mkdir()
            stack.callback(broker.stop)
            broker.start()
            answers.append(interview(broker))
    ours, theirs = answers
    differing = 0
    for case in ours | theirs:
        if case not in ours or case not in theirs:
            found = [("", ours.get(case, "not asked"), theirs.get(case, "not asked"))]
        else:
            found = list(differences(ours[case], theirs[case]))
        found = [one for one in found if not any(part in case and path in one[0] for part, path, _ in known)]
        differing += bool(found)
        for path, mine, other in found:
            print(f"{case}{path}: milena {mine!r}, kafka {other!r}")
    print(f"{len(ours)} cases, {differing} differ")
    return differing > 0
