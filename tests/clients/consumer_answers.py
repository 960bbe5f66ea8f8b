"""Questions about groups of the consumer protocol (KIP-848), for group_answers.py."""

import time
import uuid

from kafka import KafkaConsumer, TopicPartition
from kafka.protocol import admin
from kafka.protocol import consumer
from kafka.protocol.api_message import ApiMessage

import schemas

SETTINGS = (
    "group.consumer.assignment.interval.ms=0",
    "group.consumer.max.size=4",
    "group.consumer.min.session.timeout.ms=1000",
    "group.consumer.min.heartbeat.interval.ms=100",
)
KNOWN = (
    ("nonsense: pattern", ".error_message", "another library says what is wrong with a regular expression"),
    ("nonsense: pattern \\Q", ".member_epoch", "Kafka looks up patterns a little later, and counts an epoch for that"),
    ("fetch of None in 1", "", "Kafka trips over it and answers UNKNOWN_SERVER_ERROR"),
)
SECONDS_MAX = 30
# Keys of records that tell of a member: what it says of itself, what it is to have, what it has.
ABOUT_MEMBERS = tuple(kind.to_bytes(2, "big") for kind in (5, 7, 8))
WRITTEN = ("handing", "alone0", "alone1", "named0", "named1", "slow", "silent", "crowded")
TOPIC = "answers"
VERSIONS = (0, 1)


class ConsumerGroupHeartbeatRequest(ApiMessage, load_json=schemas): pass
class ConsumerGroupHeartbeatResponse(ApiMessage, load_json=schemas): pass
class ConsumerGroupDescribeRequest(ApiMessage, load_json=schemas): pass
class ConsumerGroupDescribeResponse(ApiMessage, load_json=schemas): pass


BEAT, DESCRIBE = ConsumerGroupHeartbeatRequest, ConsumerGroupDescribeRequest
JOIN, SYNC = consumer.JoinGroupRequest, consumer.SyncGroupRequest
HEARTBEAT, LEAVE = consumer.HeartbeatRequest, consumer.LeaveGroupRequest
COMMIT, FETCH, DELETE_OFFSETS = consumer.OffsetCommitRequest, consumer.OffsetFetchRequest, consumer.OffsetDeleteRequest
ALTER = admin.IncrementalAlterConfigsRequest


def owning(interview, *partitions, topic=None):
    if not partitions:
        return []
    return [BEAT.TopicPartitions(topic_id=uuid.UUID(topic or interview.topic_id), partitions=list(partitions))]


def joining(group, member, **others):
    fields = {"rebalance_timeout_ms": 30_000, "subscribed_topic_names": [TOPIC], "topic_partitions": []}
    return {"group_id": group, "member_id": member, "member_epoch": 0, **fields, **others}


def beating(group, member, epoch, **others):
    return {"group_id": group, "member_id": member, "member_epoch": epoch, **others}


def committing(group, member="", epoch=-1, partitions=(0,), **others):
    part = COMMIT.OffsetCommitRequestTopic.OffsetCommitRequestPartition
    parts = [
        part(partition_index=p, committed_offset=7, committed_leader_epoch=-1, committed_metadata="")
        for p in partitions
    ]
    topics = [COMMIT.OffsetCommitRequestTopic(name=TOPIC, partitions=parts)]
    fields = {"group_id": group, "member_id": member, "generation_id_or_member_epoch": epoch, "topics": topics}
    return {**fields, "retention_time_ms": -1, **others}


def fetching(group, member=None, epoch=-1):
    part = FETCH.OffsetFetchRequestGroup
    topics = [part.OffsetFetchRequestTopics(name=TOPIC, partition_indexes=[0, 1])]
    return {"groups": [part(group_id=group, member_id=member, member_epoch=epoch, topics=topics)]}


def subscription(*topics, owned=(), version=1):
    """What a consumer of the classic protocol says of itself: topics, no user data, partitions."""
    out = version.to_bytes(2, "big") + len(topics).to_bytes(4, "big")
    for topic in topics:
        out += len(topic).to_bytes(2, "big") + topic.encode()
    out += (-1).to_bytes(4, "big", signed=True)
    if version >= 1:
        out += bool(owned).to_bytes(4, "big")
        if owned:
            out += len(TOPIC).to_bytes(2, "big") + TOPIC.encode() + len(owned).to_bytes(4, "big")
            out += b"".join(p.to_bytes(4, "big") for p in owned)
    return out


def classic(group, member="", metadata=None, protocols=("range",), **others):
    metadata = subscription(TOPIC) if metadata is None else metadata
    offered = [JOIN.JoinGroupRequestProtocol(name=name, metadata=metadata) for name in protocols]
    fields = {"session_timeout_ms": 30_000, "rebalance_timeout_ms": 30_000, "protocol_type": "consumer"}
    return {"group_id": group, "member_id": member, "protocols": offered, **fields, **others}


def set_for_group(interview, group, **settings):
    part = ALTER.AlterConfigsResource
    configs = [
        part.AlterableConfig(name=name.replace("_", "."), config_operation=0, value=str(value))
        for name, value in settings.items()
    ]
    resources = [part(resource_type=32, resource_name=group, configs=configs)]
    return interview.ask(f"{group}: settings", ALTER, 1, resources=resources, validate_only=False)


def commits(interview, case, group, member, epochs, versions=(9,)):
    """Commits for each partition, in each of these epochs."""
    for version in versions:
        for epoch in epochs:
            for partitions in ((0,), (1,), (0, 1)):
                fields = committing(group, member, epoch, partitions)
                interview.ask(f"{case}: commit of {partitions} in {epoch}", COMMIT, version, **fields)


def nonsense(interview):
    """Heartbeats that contradict themselves, or that are about what there is not."""
    group = "nonsense"
    bad = (
        ("empty group id", {"group_id": ""}),
        ("empty member id, first", {"member_id": "", "subscribed_topic_names": None}),
        ("empty member id", {"member_id": "", "member_epoch": 5}),
        ("empty member id leaves", {"member_id": "", "member_epoch": -1}),
        ("empty instance", {"instance_id": ""}),
        ("empty rack", {"rack_id": ""}),
        ("no rebalance time-out", {"rebalance_timeout_ms": -1}),
        ("rebalance time-out of 0", {"rebalance_timeout_ms": 0, "topic_partitions": None}),
        ("no partitions", {"topic_partitions": None}),
        ("owns something", {"topic_partitions": owning(interview, 0)}),
        ("no subscription", {"subscribed_topic_names": None}),
        ("epoch -3", {"member_epoch": -3}),
        ("epoch -2 without instance", {"member_epoch": -2}),
        ("unknown assignor", {"server_assignor": "sticky"}),
        ("empty assignor", {"server_assignor": ""}),
        ("absent, epoch 1", {"member_epoch": 1}),
        ("absent, leaves", {"member_epoch": -1}),
        ("absent, leaves for a while", {"member_epoch": -2, "instance_id": "i"}),
    )
    for version in VERSIONS:
        for name, fields in bad:
            interview.ask(f"nonsense: {name}", BEAT, version, **(joining(group, "m") | fields))
    for pattern in ("(", "[a", "a{2,1}", "*", "\\Q", "(?<=a)b"):
        fields = {"subscribed_topic_names": None, "subscribed_topic_regex": pattern}
        interview.ask(f"nonsense: pattern {pattern}", BEAT, 1, **(joining(group, "m") | fields))
        interview.ask(f"nonsense: pattern {pattern}, later", BEAT, 1, **(joining(group, "m", member_epoch=4) | fields))
    for version in VERSIONS:
        interview.ask("nonsense: describe absent", DESCRIBE, version, group_ids=["absent", ""], include_authorized_operations=False)
        interview.ask("nonsense: describe none", DESCRIBE, version, group_ids=[], include_authorized_operations=True)


def alone(interview):
    """One member, and all that can be wrong about it."""
    for version in VERSIONS:
        group = f"alone{version}"
        what = f"alone {version}"
        interview.ask(f"{what}: joins", BEAT, version, **joining(group, "m"))
        interview.ask(f"{what}: joins again", BEAT, version, **joining(group, "m"))
        for name, fields in (
            ("right", {}),
            ("right, owns nothing", {"topic_partitions": []}),
            ("right, owns all", {"topic_partitions": owning(interview, 0, 1)}),
            ("right, owns more", {"topic_partitions": owning(interview, 0, 1, 99)}),
            ("right, owns another topic", {"topic_partitions": owning(interview, 0, topic=str(uuid.UUID(int=15)))}),
            ("right, tells all", joining(group, "m", member_epoch=1)),
            ("epoch ahead", {"member_epoch": 9}),
            ("epoch behind, owns nothing", {"member_epoch": 1, "topic_partitions": []}),
            ("stranger", {"member_id": "somebody"}),
            ("stranger leaves", {"member_id": "somebody", "member_epoch": -1}),
            ("unknown instance", {"instance_id": "i"}),
            ("unknown instance leaves for a while", {"instance_id": "i", "member_epoch": -2}),
        ):
            epoch = interview.main.ask(BEAT, version, **beating(group, "m", 0, **without_epoch(group, "m")))["member_epoch"]
            interview.ask(f"{what}: {name}", BEAT, version, **(beating(group, "m", epoch) | fields))
        interview.ask(f"{what}: describe", DESCRIBE, version, group_ids=[group], include_authorized_operations=True)
        commits(interview, what, group, "m", (-1, 0, 1, 2, 3, 99), (2, 5, 8, 9))
        for member, epoch in (("somebody", 1), ("", 1), ("", -1), ("somebody", -1)):
            for commit_version in (2, 8, 9):
                case = f"{what}: commit of {member or 'nobody'} in {epoch}"
                interview.ask(case, COMMIT, commit_version, **committing(group, member, epoch))
        for member, epoch in (("m", 1), ("m", 0), ("m", -1), ("m", 9), ("somebody", 1), ("", 1), ("", -1), (None, -1), (None, 1)):
            interview.ask(f"{what}: fetch of {member} in {epoch}", FETCH, 9, **fetching(group, member, epoch))
        others(interview, what, group)
        interview.ask(f"{what}: other topics", BEAT, version, **beating(group, "m", 1, subscribed_topic_names=["unknown"]))
        interview.ask(f"{what}: gave up", BEAT, version, **beating(group, "m", 1, topic_partitions=[]))
        interview.ask(f"{what}: no topics", BEAT, version, **beating(group, "m", 2, subscribed_topic_names=[]))
        interview.ask(f"{what}: another rack", BEAT, version, **beating(group, "m", 3, rack_id="r"))
        interview.ask(f"{what}: another assignor", BEAT, version, **beating(group, "m", 3, server_assignor="range"))
        interview.ask(f"{what}: after all that", DESCRIBE, version, group_ids=[group], include_authorized_operations=False)
        interview.ask(f"{what}: leaves", BEAT, version, **beating(group, "m", -1))
        interview.ask(f"{what}: leaves again", BEAT, version, **beating(group, "m", -1))
        interview.ask(f"{what}: empty", DESCRIBE, version, group_ids=[group], include_authorized_operations=False)
        commits(interview, f"{what}, empty", group, "m", (-1, 0, 3), (8, 9))
        interview.ask(f"{what}: fetch from empty", FETCH, 9, **fetching(group, "m", 1))
        interview.ask(f"{what}: delete in the end", admin.DeleteGroupsRequest, 2, groups_names=[group])


def without_epoch(group, member):
    fields = joining(group, member)
    return {name: fields[name] for name in ("rebalance_timeout_ms", "subscribed_topic_names", "topic_partitions")}


def others(interview, what, group):
    """The APIs of the classic protocol about a consumer group."""
    for version in (0, 3, 5, 9):
        for name, fields in (
            ("joins", classic(group)),
            ("joins with nonsense", classic(group, metadata=b"m")),
            ("joins of another type", classic(group, protocol_type="connect")),
            ("joins with no protocols", classic(group, protocols=())),
            ("stranger joins", classic(group, "somebody", protocols=())),
        ):
            if version >= 4 or name != "joins":
                interview.ask(f"{what}: classic {name}", JOIN, version, **fields)
    for version in (0, 3, 5):
        for member in ("m", "somebody"):
            fields = {"group_id": group, "member_id": member, "generation_id": 1}
            interview.ask(f"{what}: sync of {member}", SYNC, version, assignments=[], **fields)
            if version < 5:
                interview.ask(f"{what}: heartbeat of {member}", HEARTBEAT, version, **fields)
    for version in (0, 5, 6):
        interview.ask(f"{what}: classic describe", admin.DescribeGroupsRequest, version, groups=[group])
    interview.ask(f"{what}: delete", admin.DeleteGroupsRequest, 2, groups_names=[group])
    part = DELETE_OFFSETS.OffsetDeleteRequestTopic
    topics = [part(name=TOPIC, partitions=[part.OffsetDeleteRequestPartition(partition_index=0)])]
    interview.ask(f"{what}: delete offsets", DELETE_OFFSETS, 0, group_id=group, topics=topics)
    for version in (3, 5):
        gone = [LEAVE.MemberIdentity(member_id="somebody", group_instance_id=None)]
        interview.ask(f"{what}: classic leave", LEAVE, version, group_id=group, members=gone)


def handing_over(interview):
    """Two members, then three; what each may commit at every point."""
    group = "handing"
    both = "handing over"

    def beat(case, member, epoch, *owned, **fields):
        owned = {} if owned == (None,) else {"topic_partitions": owning(interview, *owned)}
        told = interview.ask(f"{both}: {case}", BEAT, 1, **beating(group, member, epoch, **owned, **fields))
        interview.ask(f"{both}: {case}, described", DESCRIBE, 1, group_ids=[group], include_authorized_operations=False)
        for who in ("a", "b"):
            commits(interview, f"{both}: {case}, {who}", group, who, range(-1, 6))
            for epoch in range(5):
                fields = fetching(group, who, epoch)
                interview.ask(f"{both}: {case}, fetch of {who} in {epoch}", FETCH, 9, **fields)
        return told

    told = beat("a joins", "a", 0, **{k: v for k, v in without_epoch(group, "a").items() if k != "topic_partitions"})
    beat("a owns all", "a", told["member_epoch"], 0, 1)
    fields = {k: v for k, v in without_epoch(group, "b").items() if k != "topic_partitions"}
    beat("b joins", "b", 0, **fields)
    told = beat("a is told", "a", 1, 0, 1)
    kept = told["assignment"]["topic_partitions"][0]["partitions"][0] if told["assignment"] else 0
    beat("a does not give up", "a", 1, 0, 1)
    beat("a says nothing", "a", 1, None)
    beat("b waits", "b", 2)
    told = beat("a gives up", "a", 1, kept)
    beat("a's answer was lost", "a", 1, kept)
    beat("b gets it", "b", 2)
    beat("b's answer was lost", "b", 2)
    beat("b owns it", "b", 2, 1 - kept)
    beat("b joins anew", "b", 0, **fields)
    beat("b is behind", "b", 1, 1 - kept)
    beat("b leaves", "b", -1, None)
    beat("a gets all", "a", 2, kept)
    beat("a has all", "a", 3, 0, 1)
    beat("a wants nothing", "a", 3, 0, 1, subscribed_topic_names=[])
    beat("a has given up", "a", 3)
    beat("a wants it again", "a", 4, subscribed_topic_names=[TOPIC])


def static(interview):
    """Members with names: they go, come back, and others come in their place."""
    for version in VERSIONS:
        group, what, named = f"named{version}", f"named {version}", {"instance_id": "i"}

        def beat(case, member, epoch, **fields):
            fields = beating(group, member, epoch, **fields)
            told = interview.ask(f"{what}: {case}", BEAT, version, **fields)
            asked = {"group_ids": [group], "include_authorized_operations": False}
            interview.ask(f"{what}: {case}, described", DESCRIBE, version, **asked)
            for who in ("a", "b", "c"):
                commits(interview, f"{what}: {case}, {who}", group, who, (0, 1, 2))
            return told

        first = without_epoch(group, "a")
        beat("a joins", "a", 0, **first, **named)
        beat("a owns", "a", 1, topic_partitions=owning(interview, 0, 1), **named)
        beat("b joins too early", "b", 0, **first, **named)
        beat("b is not there", "b", 1, **named)
        beat("b leaves", "b", -1, **named)
        beat("b leaves for a while", "b", -2, **named)
        beat("a without name", "a", 1)
        beat("a leaves for a while, without name", "a", -2)
        beat("a leaves for a while", "a", -2, **named)
        beat("a leaves again for a while", "a", -2, **named)
        beat("a goes on", "a", 1, **named)
        beat("b joins", "b", 0, **first, **named)
        beat("a is fenced", "a", 1, **named)
        beat("a is unknown", "a", 1)
        beat("a leaves when fenced", "a", -1, **named)
        beat("b owns", "b", 1, topic_partitions=owning(interview, 0, 1), **named)
        beat("b joins again", "b", 0, **first, **named)
        beat("b goes for a while", "b", -2, **named)
        beat("c joins without name", "c", 0, **first)
        beat("b comes back", "b", 0, **first, **named)
        beat("b gives up one", "b", 0, **(first | named))
        gone = [LEAVE.MemberIdentity(member_id="", group_instance_id="i")]
        interview.ask(f"{what}: removed", LEAVE, 5, group_id=group, members=gone)
        beat("after removal", "b", 2, **named)
        beat("c alone", "c", 2, topic_partitions=[])


def crowded(interview):
    """More members than group.consumer.max.size."""
    group = "crowded"
    for member in "abcde":
        interview.ask(f"crowded: {member} joins", BEAT, 1, **joining(group, member, subscribed_topic_names=["unknown"]))
    interview.ask("crowded: a joins again", BEAT, 1, **joining(group, "a", subscribed_topic_names=["unknown"]))
    interview.ask("crowded: a classic one joins", JOIN, 9, **classic(group))
    interview.ask("crowded: describe", DESCRIBE, 1, group_ids=[group], include_authorized_operations=False)


def patterns(interview):
    """Subscriptions by regular expressions. Kafka looks them up a little later."""
    group = "patterned"
    by = {"subscribed_topic_names": None}
    for case, pattern in (("matches", "ans.*"), ("half matches", "nswer"), ("matches nothing", "x+"), ("empty", "")):
        name = f"pattern {case}"
        fields = joining(group, "m", **by, subscribed_topic_regex=pattern)
        told, owned = interview.main.ask(BEAT, 1, **fields), []
        for _ in range(20):
            if told["assignment"] is not None:
                owned = [p for topic in told["assignment"]["topic_partitions"] for p in topic["partitions"]]
            time.sleep(0.1)
            fields = {"topic_partitions": owning(interview, *owned)}
            told = interview.main.ask(BEAT, 1, **beating(group, "m", told["member_epoch"], **fields))
        interview.note(name, {"owns": owned})
        described = interview.main.ask(DESCRIBE, 1, group_ids=[group], include_authorized_operations=False)
        member = described["groups"][0]["members"][0]
        interview.note(f"{name}: described", {name: member[name] for name in ("subscribed_topic_regex", "assignment")})
        interview.main.ask(BEAT, 1, **beating(group, "m", -1))


def late(interview):
    """Members that are silent, or do not give up in time what is no longer theirs."""
    group = "silent"
    set_for_group(interview, group, consumer_session_timeout_ms=1000, consumer_heartbeat_interval_ms=100)
    interview.ask("silent: joins", BEAT, 1, **joining(group, "m"))
    interview.ask("silent: commit", COMMIT, 9, **committing(group, "m", 1))
    wait_until_empty(interview, group)
    interview.ask("silent: too late", BEAT, 1, **beating(group, "m", 1))
    interview.ask("silent: commits too late", COMMIT, 9, **committing(group, "m", 1))
    interview.ask("silent: empty", DESCRIBE, 1, group_ids=[group], include_authorized_operations=False)
    group = "slow"
    interview.ask("slow: a joins", BEAT, 1, **joining(group, "a", rebalance_timeout_ms=1000))
    interview.ask("slow: b joins", BEAT, 1, **joining(group, "b"))
    asked = {"topic_partitions": owning(interview, 0, 1)}
    interview.ask("slow: a is told", BEAT, 1, **beating(group, "a", 1, **asked))
    time.sleep(0.5)
    interview.ask("slow: a is slow", BEAT, 1, **beating(group, "a", 1, **asked))
    time.sleep(1)
    interview.ask("slow: a was too slow", BEAT, 1, **beating(group, "a", 1, **asked))
    interview.ask("slow: b gets all", BEAT, 1, **beating(group, "b", 2, topic_partitions=[]))
    interview.ask("slow: describe", DESCRIBE, 1, group_ids=[group], include_authorized_operations=False)


def wait_until_empty(interview, group):
    deadline = time.monotonic() + SECONDS_MAX
    asked = {"group_ids": [group], "include_authorized_operations": False}
    while interview.main.ask(DESCRIBE, 1, **asked)["groups"][0]["members"]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{group} does not become empty")
        time.sleep(0.05)


def changing(interview):
    """Groups that go from one protocol to the other while members are there."""
    group = "strange"
    offered = classic(group, metadata=b"m")
    interview.ask("strange: classic member", JOIN, 3, **offered)
    interview.ask("strange: a consumer joins", BEAT, 1, **joining(group, "m"))
    interview.ask("strange: describe", DESCRIBE, 1, group_ids=[group], include_authorized_operations=False)
    group = "connectors"
    interview.ask("connectors: classic member", JOIN, 3, **classic(group, protocol_type="connect"))
    interview.ask("connectors: a consumer joins", BEAT, 1, **joining(group, "m"))
    group = "moving"
    joined = interview.ask("moving: classic", JOIN, 3, **classic(group))
    old, generation = joined["member_id"], joined["generation_id"]
    part = SYNC.SyncGroupRequestAssignment
    assigned = (1).to_bytes(2, "big") + (1).to_bytes(4, "big") + len(TOPIC).to_bytes(2, "big") + TOPIC.encode()
    assigned += (2).to_bytes(4, "big") + (0).to_bytes(4, "big") + (1).to_bytes(4, "big")
    assigned += (-1).to_bytes(4, "big", signed=True)
    fields = {"group_id": group, "member_id": old, "generation_id": generation}
    interview.ask("moving: sync", SYNC, 3, **fields, assignments=[part(member_id=old, assignment=assigned)])
    interview.ask("moving: commit", COMMIT, 9, **committing(group, old, generation))
    interview.ask("moving: a consumer joins", BEAT, 1, **joining(group, "m"))

    def look(case):
        asked = {"group_ids": [group], "include_authorized_operations": False}
        interview.ask(f"moving: {case}, described", DESCRIBE, 1, **asked)
        for who in (old, "m"):
            name = "m" if who == "m" else "old"
            for version in (8, 9):
                commits(interview, f"moving: {case}, {name}", group, who, range(5), (version,))

    look("joined")
    interview.ask("moving: old heartbeat", HEARTBEAT, 4, **fields)
    interview.ask("moving: old sync", SYNC, 3, **fields, assignments=[])
    again = classic(group, old, subscription(TOPIC, owned=(0, 1)))
    joined = interview.ask("moving: old joins again", JOIN, 9, **again)
    look("told")
    epoch = {"generation_id": joined["generation_id"]}
    interview.ask("moving: old syncs", SYNC, 3, **(fields | epoch), assignments=[])
    interview.ask("moving: old must give up", HEARTBEAT, 4, **(fields | epoch))
    interview.ask("moving: m waits", BEAT, 1, **beating(group, "m", 2, topic_partitions=[]))
    for kept in ((0,), (1,)):  # whichever it was
        joined = interview.ask(f"moving: old gave up all but {kept}", JOIN, 9, **classic(group, old, subscription(TOPIC, owned=kept)))
        look(f"gave up {kept}")
        epoch = {"generation_id": joined["generation_id"]}
        interview.ask(f"moving: old syncs with {kept}", SYNC, 5, **(fields | epoch), assignments=[])
        interview.ask(f"moving: old heartbeat with {kept}", HEARTBEAT, 4, **(fields | epoch))
    told = interview.ask("moving: m gets some", BEAT, 1, **beating(group, "m", 2, topic_partitions=[]))
    interview.ask("moving: old in an old generation", HEARTBEAT, 4, **(fields | {"generation_id": 1}))
    interview.ask("moving: m leaves", BEAT, 1, **beating(group, "m", -1))
    interview.ask("moving: back", admin.DescribeGroupsRequest, 6, groups=[group])
    interview.ask("moving: no consumer group", DESCRIBE, 1, group_ids=[group], include_authorized_operations=False)
    interview.ask("moving: old heartbeat in the end", HEARTBEAT, 4, **(fields | epoch))
    interview.ask("moving: old commits in the end", COMMIT, 9, **committing(group, old, epoch["generation_id"]))
    interview.ask("moving: fetch", FETCH, 9, **fetching(group))


def records(interview):
    """What both wrote down about members whose ids do not differ, byte for byte but for the topic's id."""
    reader = KafkaConsumer(bootstrap_servers=f"127.0.0.1:{interview.port}", exclude_internal_topics=False)
    partitions = [TopicPartition("__consumer_offsets", p) for p in reader.partitions_for_topic("__consumer_offsets")]
    reader.assign(partitions)
    reader.seek_to_beginning()
    ends = reader.end_offsets(partitions)
    written = {group: [] for group in WRITTEN}
    while any(reader.position(partition) < end for partition, end in ends.items()):
        for batch in reader.poll(timeout_ms=500).values():
            for record in batch:
                group = record.key[4 : 4 + int.from_bytes(record.key[2:4], "big")].decode()
                if record.key[:2] in ABOUT_MEMBERS and group in written:
                    value = (record.value or b"").replace(uuid.UUID(interview.topic_id).bytes, b"<the topic's id>")
                    written[group].append((record.key.hex(), value.hex()))
    for group, some in written.items():
        assert some, f"nothing is written of {group}"
        interview.note(f"records of {group}", some)


CHAPTERS = (nonsense, alone, handing_over, static, crowded, patterns, late, changing, records)
