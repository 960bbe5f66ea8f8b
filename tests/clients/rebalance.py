"""Groups whose members come, leave, crash (kill -9) and stall (SIGSTOP for longer than a session), on a broker that is
killed in between.

Each member is a process of its own. A seed decides what happens, the members tell what they have and what they take.
Whatever happens:

- each record that was written is taken by a member;
- no partition has two owners at the same time, nor in the same generation where the client tells it. A member that
  crashed or stalled has nothing from that moment on, one whose partitions were lost had them in an older generation;
- a new owner begins at an offset that was committed, and not before one whose commit was acknowledged before, also
  where the broker was killed meanwhile.
"""

import os
import random
import re
import signal
import threading
import time
from dataclasses import dataclass

import drivers
from drivers import Failed
from scenarios import Mismatch, packed, some

CLIENTS = ("confluent-kafka", "java", "franz-go")
PARTITIONS = 6
SESSION_MS = 3_000
BROKER_SETTINGS = (
    "group.min.session.timeout.ms=1000",
    "group.consumer.min.session.timeout.ms=1000",
    "group.consumer.min.heartbeat.interval.ms=100",
    "group.consumer.session.timeout.ms=5000",
    "group.consumer.heartbeat.interval.ms=500",
    "group.consumer.migration.policy=bidirectional",
)
SETTLE_SECONDS_MAX = 120
STATIC_SESSION_MS = 60_000
STEADY_SECONDS = 4
RECORDS_AT_ONCE = 3
SHORT = {"members": 3, "actions": ["join", "crash", "stall", "leave", "broker"]}
LONG = {"members": 5, "actions": ["join", "join", "join", "crash", "stall", "leave", "broker"] * 6}


class Gate:
    """Has the broker killed and started once all groups that still run have come to that point."""

    def __init__(self, groups, restart):
        self.running, self.restart = groups, restart
        self.waiting, self.times = 0, 0
        self.changed = threading.Condition()

    def arrive(self):
        with self.changed:
            self.waiting += 1
            times = self.times
            self.open_if_all_are_here()
            self.changed.wait_for(lambda: self.times > times)

    def leave(self):
        with self.changed:
            self.running -= 1
            self.open_if_all_are_here()

    def open_if_all_are_here(self):
        if 0 < self.waiting == self.running:
            try:
                self.restart()
            finally:
                self.waiting, self.times = 0, self.times + 1
                self.changed.notify_all()


@dataclass
class Span:
    """For how long a member had a partition, and how that ended."""

    member: str
    start: float
    end: float = float("inf")
    how: str = "still has it"


class Member:
    """A process with one consumer, which a thread polls and lets commit until it ends."""

    def __init__(self, group, name):
        self.group, self.name, self.identity = group, name, name
        self.assigned, self.seen = [], 0.0
        self.positions = {}  # of the partitions that it has, where it read from them
        self.changes = 0
        self.over, self.thread = False, None
        self.driver = drivers.Driver(group.client, group.address, group.log)
        self.driver("hello")

    def join(self, protocol, instance=None):
        self.identity = instance or self.name  # of a static member that comes back it is the same
        options = {"protocol": protocol, "session_ms": STATIC_SESSION_MS if instance else SESSION_MS}
        if instance:
            options["instance"] = instance
        topic = self.group.topic
        self.driver("join_group", topic=topic, group=topic, member=self.name, **options)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        while not self.over:
            try:
                started = time.time()
                self.group.saw(self, self.driver("poll", patience=240, member=self.name), started)
                if self.positions and not self.over:
                    self.commit()
            except Failed as e:
                if not self.over:
                    self.group.faults.append(f"{self.name}: {e}")
                return

    def commit(self):
        attempt = dict(self.positions)
        self.group.attempted(attempt)
        try:
            answer = self.driver("commit", patience=240, member=self.name)
        except Failed as e:
            if self.driver.process is None:
                raise
            self.group.log.write(f"{self.name}: not committed, {e}\n".encode())
        else:
            self.group.acknowledged(self, attempt, answer)

    def leave(self):
        self.over = True
        self.thread.join()
        self.group.saw(self, self.driver("leave", patience=60, member=self.name), time.time())
        self.group.end(self, "left")
        self.driver.stop()

    def crash(self):
        self.over = True
        process = self.driver.process
        os.kill(process.pid, signal.SIGKILL)
        self.group.end(self, "crashed")
        self.thread.join()
        self.driver.stop()

    def stall(self):
        os.kill(self.driver.process.pid, signal.SIGSTOP)
        self.group.end(self, "stalled")

    def go_on(self):
        os.kill(self.driver.process.pid, signal.SIGCONT)


class Group:
    """A group of one client's members, and what is known of them. Its methods are called by many threads."""

    def __init__(self, client, title, address, log, writer, chance):
        self.client, self.address, self.log, self.writer, self.chance = client, address, log, writer, chance
        self.topic = re.sub("[^a-zA-Z0-9]+", "-", f"{client} {title}")
        self.members, self.count = [], 0
        self.lock = threading.Lock()
        self.written, self.taken = [0] * PARTITIONS, set()
        self.spans = {p: [] for p in range(PARTITIONS)}
        self.owners = {}  # (generation, partition): member
        self.tried = {p: {0} for p in range(PARTITIONS)}
        self.commits = {p: [] for p in range(PARTITIONS)}  # (when acknowledged, offset)
        self.faults = []
        self.writer("create_topic", topic=self.topic, partitions=PARTITIONS)

    # What members tell.

    def saw(self, member, answer, started):
        with self.lock:
            kept = set(member.positions)
            again = self.note(member, answer["events"]) & kept
            for p, offset in sorted(map(tuple, answer.get("taken", []))):
                self.taken.add((p, offset))
                if p not in member.positions and self.has(member, p) and p not in again:
                    self.check_start(member, p, offset)
                if self.has(member, p):
                    member.positions[p] = offset + 1
            if "assigned" in answer:
                member.assigned, member.seen = answer["assigned"], started

    def note(self, member, events):
        """Answers the partitions that were assigned to it."""
        assigned = set()
        for at, what, generation, partitions in events:
            self.log.write(f"{at:.3f} {member.name} {what} {generation} {partitions}\n".encode())
            member.changes += bool(partitions)
            for p in partitions:
                span = self.open_span(member, p)
                if what == "assigned":
                    assigned.add(p)
                    if span is None:
                        self.begin(member, p, at, generation)
                elif span is not None:
                    span.end, span.how = at, what
                member.positions.pop(p, None)
        return assigned

    def begin(self, member, p, at, generation):
        self.spans[p].append(Span(member.name, at))
        if generation is not None:
            owner = self.owners.setdefault((generation, p), member.identity)
            if owner != member.identity:
                self.faults.append(f"partition {p} has owners {owner} and {member.identity} in generation {generation}")

    def check_start(self, member, p, offset):
        begun = self.open_span(member, p).start
        floor = max((o for at, o in self.commits[p] if at <= begun), default=0)
        if offset < floor or offset not in self.tried[p]:
            self.faults.append(
                f"{member.name} begins partition {p} at {offset}; committed before: {floor}, ever: {sorted(self.tried[p])[-5:]}"
            )

    def attempted(self, positions):
        with self.lock:
            for p, offset in positions.items():
                self.tried[p].add(offset)

    def acknowledged(self, member, positions, answer):
        with self.lock:
            self.note(member, answer["events"])
            for p, offset in positions.items():
                if member.positions.get(p) == offset:  # not taken away while it was committed
                    self.commits[p].append((time.time(), offset))

    def end(self, member, how):
        with self.lock:
            for p in range(PARTITIONS):
                span = self.open_span(member, p)
                if span is not None:
                    span.end, span.how = time.time(), how
            member.positions.clear()

    def open_span(self, member, p):
        return next((s for s in self.spans[p] if s.member == member.name and s.end == float("inf")), None)

    def has(self, member, p):
        return self.open_span(member, p) is not None

    # What is done to them.

    def next_member(self):
        """Its process runs, and has not joined."""
        self.count += 1
        return Member(self, f"member-{self.count}")

    def join(self, protocol, instance=None, member=None):
        member = member or self.next_member()
        self.members.append(member)
        member.join(protocol, instance)
        return member

    def pick(self):
        return self.chance.choice(self.members)

    def remove(self, how):
        member = self.pick()
        self.members.remove(member)
        getattr(member, how)()

    def write(self):
        for p in range(PARTITIONS):
            self.writer("produce", topic=self.topic, partition=p, records=[packed(r) for r in some(RECORDS_AT_ONCE)])
            self.written[p] += RECORDS_AT_ONCE

    def settle(self, *but):
        """Waits until the members, but for these, share all partitions; writes meanwhile."""
        began, members = time.time(), [m for m in self.members if m not in but]
        while True:
            self.write()
            self.stop_at_faults()
            with self.lock:
                shares = [m.assigned for m in members if m.seen > began]
                if (
                    len(shares) == len(members)
                    and all(shares)
                    and sorted(sum(shares, [])) == list(range(PARTITIONS))
                ):
                    return
            if time.time() - began > SETTLE_SECONDS_MAX:
                raise Mismatch(f"shares after {SETTLE_SECONDS_MAX} s: {[(m.name, m.assigned) for m in members]}")
            time.sleep(0.3)

    def take_all(self):
        deadline = time.time() + SETTLE_SECONDS_MAX
        wanted = {(p, offset) for p in range(PARTITIONS) for offset in range(self.written[p])}
        while not wanted <= self.taken:
            self.stop_at_faults()
            if time.time() > deadline:
                raise Mismatch(f"never taken: {sorted(wanted - self.taken)[:10]}")
            time.sleep(0.2)

    def stop_at_faults(self):
        with self.lock:
            if self.faults:
                raise Mismatch("; ".join(self.faults[:3]))

    def check_owners(self):
        """No partition had two owners at a time."""
        with self.lock:
            for p, spans in self.spans.items():
                spans.sort(key=lambda span: span.start)
                for i, span in enumerate(spans):
                    for later in spans[i + 1 :]:
                        if later.start < span.end and span.how != "lost":
                            self.faults.append(f"partition {p} has two owners: {span} and {later}")
        self.stop_at_faults()

    def finish(self, protocol):
        """All is taken, all leave, and the next member goes on where they were."""
        self.take_all()
        for member in self.members:
            member.leave()
        self.members.clear()
        self.join(protocol)
        self.settle()
        self.take_all()
        self.remove("leave")
        self.check_owners()

    def stop(self):
        for member in self.members:
            member.over = True
            member.driver.stop()
            if member.thread is not None:
                member.thread.join()
            member.driver.stop()  # should the thread have started it once more


def chaos(protocol):
    def play(group, gate, form):
        group.join(protocol)
        group.join(protocol)
        group.settle()
        actions = group.chance.sample(form["actions"], len(form["actions"]))
        for action in actions:
            group.log.write(f"--- {action}\n".encode())
            if action in ("crash", "stall", "leave") and len(group.members) < 2:
                group.join(protocol)
                group.settle()
            if action == "join" and len(group.members) < form["members"]:
                group.join(protocol)
            elif action in ("crash", "leave"):
                group.remove(action)
            elif action == "stall":
                member = group.pick()
                member.stall()
                group.settle(member)
                member.go_on()
            elif action == "broker":
                group.take_all()
                gate.arrive()
            group.settle()
        group.finish(protocol)

    return play


def static(protocol, how):
    """Members with names that go away and come back: nobody else notices, and they get what they had."""

    def play(group, gate, form):
        members = {f"instance-{i}": group.join(protocol, f"instance-{i}") for i in range(3)}
        group.settle()
        steady(group)
        for instance in group.chance.sample(sorted(members), 2):
            gone = members[instance]
            had, others = gone.assigned, [m for m in group.members if m is not gone]
            noticed = [m.changes for m in others]
            follower = group.next_member()
            getattr(gone, how)()
            group.members.remove(gone)
            members[instance] = group.join(protocol, instance, follower)
            group.settle()
            if members[instance].assigned != had:
                raise Mismatch(f"{instance} had {had} and came back to {members[instance].assigned}")
            if noticed != [m.changes for m in others]:
                raise Mismatch(f"the others noticed that {instance} was away")
        group.take_all()
        group.check_owners()

    return play


def steady(group):
    """Waits until nothing has changed for a while."""
    before, since = None, time.time()
    while time.time() - since < STEADY_SECONDS:
        now = [m.changes for m in group.members]
        if now != before:
            before, since = now, time.time()
        group.stop_at_faults()
        time.sleep(0.2)


def migration(group, gate, form):
    """Every member of a live group is replaced by one of the new protocol, and by one of the old one again."""
    for _ in range(3):
        group.join("eager")
    group.settle()
    for protocol in ("consumer", "eager"):
        for member in list(group.members):
            group.join(protocol)
            group.settle()
            group.members.remove(member)
            member.leave()
            group.settle()
    group.finish("eager")


SCENARIOS = [
    ("rebalance: eager", CLIENTS, chaos("eager")),
    ("rebalance: cooperative", CLIENTS, chaos("cooperative")),
    ("rebalance: static, closed", CLIENTS, static("eager", "leave")),
    ("rebalance: static, killed", CLIENTS, static("cooperative", "crash")),
    ("rebalance: consumer", CLIENTS, chaos("consumer")),
    # franz-go 1.22.2 leaves without naming its instance, which is refused: it comes back only after the session.
    ("rebalance: static, consumer", ("confluent-kafka", "java"), static("consumer", "leave")),
    ("rebalance: migration", ("java",), migration),
]


def play(scenario, client, title, address, log, writer, gate, form, seed):
    """Plays one scenario with one client, in a group and topic of its own."""
    group = None
    try:
        group = Group(client, title, address, log, writer, random.Random(f"{seed} {client} {title}"))
        scenario(group, gate, form)
    except Mismatch as e:
        raise Mismatch(f"{e} (seed {seed})") from e
    finally:
        gate.leave()
        if group is not None:
            group.stop()
