"""Kafka's console tools on a broker that runs: kafka-topics, kafka-get-offsets, kafka-configs, and all that
kafka-consumer-groups can do with a group of each protocol.
"""

import subprocess

import drivers
from brokers import DUMP_TOOL
from scenarios import Mismatch, check, packed, some

TOPIC, PARTITIONS, RECORDS = "read", 3, 10
SETTINGS = ("group.initial.rebalance.delay.ms=0",)
JAVA = ["java", "-Xmx384m", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=ERROR", "-cp"]
CONFIGS = drivers.INSTALLED / "kafka-configs/lib"
CONFIGS_CLASS = "kafka.admin.ConfigCommand"
POLLS_MAX = 60
ALL = [str(p) for p in range(PARTITIONS)]


def play(broker, log):
    """Runs on a broker of its own, which is started and stopped here."""
    broker.start()
    try:
        tools = Tools(broker.address)
        topics(tools)
        configs(tools)
        driver = drivers.Driver("java", broker.address, log)
        try:
            for p in range(PARTITIONS):
                driver("produce", topic=TOPIC, partition=p, records=[packed(one) for one in some(RECORDS)])
            offsets(tools)
            groups = {"old": "eager", "new": "consumer"}
            for group, protocol in groups.items():
                driver("join_group", topic=TOPIC, group=group, member=group, protocol=protocol, session_ms=60_000)
                read_all(driver, group)
            living(tools)
            for group in groups:
                driver("leave", member=group)
        finally:
            driver.stop()
        left(tools)
    finally:
        broker.stop()


class Tools:
    def __init__(self, address):
        self.address = address

    def topics(self, *words):
        return self.run(DUMP_TOOL, "org.apache.kafka.tools.TopicCommand", *words)

    def offsets(self, *words):
        return self.run(DUMP_TOOL, "org.apache.kafka.tools.GetOffsetShell", *words)

    def configs(self, *words):
        return self.run(CONFIGS, CONFIGS_CLASS, *words)

    def groups(self, *words):
        return self.run(DUMP_TOOL, "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", *words)

    def table(self, *words):
        """The rows that kafka-consumer-groups prints, in words, without the head."""
        rows = [line.split() for line in self.groups(*words).splitlines()]
        rows = [row for row in rows if row]
        return sorted(row for row in rows if row[0] not in ("GROUP", "TOPIC") and row[:2] != ["Consumer", "group"])

    def run(self, folder, tool, *words):
        """What it says on both streams; some end with 0 where they failed."""
        command = [*JAVA, f"{folder}/*", tool, "--bootstrap-server", self.address, *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True)
        said = done.stdout + "\n".join(line for line in done.stderr.splitlines() if not line.startswith("SLF4J"))
        if done.returncode not in (0, 1):
            raise Mismatch(f"{tool} {words}: {said[-500:]}")
        return said


def read_all(driver, member):
    taken = 0
    for _ in range(POLLS_MAX):
        taken += len(driver("poll", member=member)["taken"])
        if taken == PARTITIONS * RECORDS:
            driver("commit", member=member)
            return
    raise Mismatch(f"{member} took {taken} records")


def topics(tools):
    tools.topics("--create", "--topic", TOPIC, "--partitions", PARTITIONS - 1)
    tools.topics("--create", "--topic", "gone", "--partitions", 1, "--config", "retention.ms=60000")
    check("topics", listed(tools.topics("--list")), {TOPIC, "gone"})
    tools.topics("--alter", "--topic", TOPIC, "--partitions", PARTITIONS)
    tools.topics("--delete", "--topic", "gone")
    check("topics left", listed(tools.topics("--list")), {TOPIC})
    check("partitions", tools.topics("--describe", "--topic", TOPIC).count("Leader: "), PARTITIONS)


def configs(tools):
    for kind, name, key, value in (
        ("topics", TOPIC, "retention.ms", "123456789"),
        ("groups", "new", "consumer.heartbeat.interval.ms", "6000"),
    ):
        place = ("--entity-type", kind, "--entity-name", name)
        tools.configs(*place, "--alter", "--add-config", f"{key}={value}")
        has(tools.configs(*place, "--describe"), f"{key}={value}")
    tools.configs("--entity-type", "topics", "--entity-name", TOPIC, "--alter", "--delete-config", "retention.ms")
    has_not(tools.configs("--entity-type", "topics", "--entity-name", TOPIC, "--describe"), "123456789")
    has(tools.configs("--entity-type", "groups", "--entity-name", "new", "--alter", "--add-config", "nonsense=1"), "nonsense")
    has(tools.configs("--entity-type", "brokers", "--entity-name", "1", "--describe", "--all"), "log.retention.hours")


def offsets(tools):
    expected = lambda offset: {f"{TOPIC}:{p}:{offset}" for p in ALL}
    check("ends", listed(tools.offsets("--topic", TOPIC)), expected(RECORDS))
    check("beginnings", listed(tools.offsets("--topic", TOPIC, "--time", "earliest")), expected(0))
    check("one partition", listed(tools.offsets("--topic-partitions", f"{TOPIC}:1")), {f"{TOPIC}:1:{RECORDS}"})


def living(tools):
    """Groups with a member each."""
    check("groups", listed(tools.groups("--list")), {"old", "new"})
    check("states", tools.table("--list", "--state"), [["new", "Stable"], ["old", "Stable"]])
    check("types", tools.table("--list", "--type"), [["new", "Consumer"], ["old", "Classic"]])
    check("of a type", tools.table("--list", "--type", "consumer"), [["new", "Consumer"]])
    for group, strategy in (("old", "range"), ("new", "uniform")):
        rows = tools.table("--describe", "--group", group)
        check(f"{group}: offsets", [row[1:6] for row in rows], [[TOPIC, p, "10", "10", "0"] for p in ALL])
        check(f"{group}: owned", [row[6] != "-" for row in rows], [True] * PARTITIONS)
        [state] = tools.table("--describe", "--group", group, "--state")
        check(f"{group}: state", state[-3:], [strategy, "Stable", "1"])
        has(tools.groups("--describe", "--group", group, "--members", "--verbose"), f"{TOPIC}:0,1,2")
        has(tools.groups("--delete", "--group", group), "GroupNotEmptyException")
        reset = ("--reset-offsets", "--group", group, "--topic", TOPIC, "--to-earliest", "--execute")
        has(tools.groups(*reset), "inactive")
        has(tools.groups("--delete-offsets", "--group", group, "--topic", TOPIC), "GroupSubscribedToTopicException")
    check("all groups", len(tools.table("--describe", "--all-groups")), 2 * PARTITIONS)
    has(tools.groups("--validate-regex", "re(ad)?.*"), "is valid")
    has(tools.groups("--validate-regex", "re("), "is invalid")


def left(tools):
    """Groups whose members have gone, and what can be done to their offsets."""
    check("left", tools.table("--list", "--state", "Empty"), [["new", "Empty"], ["old", "Empty"]])
    for group in ("old", "new"):

        def reset(*how):
            rows = tools.table("--reset-offsets", "--group", group, "--topic", TOPIC, *how)
            rows = [row for row in rows if row[0] != "Warn:"]  # that there is nothing as late as the time
            check(f"{group}: {how}", [row[:3] for row in rows], [[group, TOPIC, p] for p in ALL])
            return {row[3] for row in rows}

        def committed():
            return {row[3] for row in tools.table("--describe", "--group", group)}

        check("dry run", (reset("--to-earliest", "--dry-run"), committed()), ({"0"}, {"10"}))
        check("shift", (reset("--shift-by", "-3", "--execute"), committed()), ({"7"}, {"7"}))
        if group == "old":  # the rest says nothing of the group
            check("to an offset", reset("--to-offset", "5", "--execute"), {"5"})
            check("to a time", reset("--to-datetime", "2020-01-01T00:00:00.000", "--dry-run"), {"0"})
            check("by duration", reset("--by-duration", "PT0S", "--dry-run"), {"10"})
            check("to where it is", reset("--to-current", "--dry-run"), {"5"})
            check("to the end", reset("--to-latest", "--dry-run"), {"10"})
        has(tools.groups("--delete-offsets", "--group", group, "--topic", f"{TOPIC}:0"), "Successful")
        check("less", [row[2] for row in tools.table("--describe", "--group", group) if row[3] != "-"], ALL[1:])
        has(tools.groups("--delete", "--group", group), "was successful")
    check("none left", listed(tools.groups("--list")), set())
    has(tools.groups("--describe", "--group", "old"), "Group old not found")


def listed(text):
    return set(text.split())


def has(text, part):
    if part not in text:
        raise Mismatch(f"no {part!r} in {text[-500:]!r}")


def has_not(text, part):
    if part in text:
        raise Mismatch(f"{part!r} in {text[-500:]!r}")
