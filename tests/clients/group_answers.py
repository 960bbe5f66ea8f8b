#!/usr/bin/env python3
"""Asks Milena and Apache Kafka the same questions about groups, mostly wrong ones, and prints where they differ.

    .clients/python/bin/python tests/clients/group_answers.py --broker target/debug/milena

Needs kafka-python (for its message definitions) and tests/reference. Each case is asked in every version that has it.
Ids that a broker makes up are compared by the order in which they appear. Exit code 0: no difference but the known.
"""

import sys
import time
import uuid

from kafka.protocol import admin
from kafka.protocol import consumer
from kafka.protocol import metadata

import consumer_answers
from answers import SECONDS_MAX, Interview, compare

SETTINGS = (
    "group.initial.rebalance.delay.ms=0",
    "group.max.size=3",
    "offset.metadata.max.bytes=10",
    "offsets.topic.num.partitions=3",
    *consumer_answers.SETTINGS,
)
# Part of the case and of the path, and why that is to be so.
KNOWN = (
    ("find: unknown type", ".error_message", "ours says what is wrong"),
    ("find: empty key", ".error_message", "Kafka says that no error is one named NONE"),
    ("promised, with a name", "", "Kafka trips over it and answers UNKNOWN_SERVER_ERROR"),
    *consumer_answers.KNOWN,
)
TOPIC = "answers"


JOIN, SYNC = consumer.JoinGroupRequest, consumer.SyncGroupRequest
HEARTBEAT, LEAVE = consumer.HeartbeatRequest, consumer.LeaveGroupRequest
COMMIT, FETCH, DELETE_OFFSETS = consumer.OffsetCommitRequest, consumer.OffsetFetchRequest, consumer.OffsetDeleteRequest
DESCRIBE, LIST, DELETE = admin.DescribeGroupsRequest, admin.ListGroupsRequest, admin.DeleteGroupsRequest
FIND = metadata.FindCoordinatorRequest


def joining(group, member="", protocols=("range",), **others):
    offered = [JOIN.JoinGroupRequestProtocol(name=name, metadata=b"m") for name in protocols]
    fields = {"session_timeout_ms": 30_000, "rebalance_timeout_ms": 30_000, "protocol_type": "consumer"}
    return {"group_id": group, "member_id": member, "protocols": offered, **fields, **others}


def syncing(group, member, generation, assigned=(), **others):
    assignments = [SYNC.SyncGroupRequestAssignment(member_id=to, assignment=b"a") for to in assigned]
    return {"group_id": group, "member_id": member, "generation_id": generation, "assignments": assignments, **others}


def committing(group, member="", generation=-1, topic=TOPIC, partition=0, note="", **others):
    one = COMMIT.OffsetCommitRequestTopic.OffsetCommitRequestPartition(
        partition_index=partition, committed_offset=7, committed_leader_epoch=-1, committed_metadata=note
    )
    topics = [COMMIT.OffsetCommitRequestTopic(name=topic, partitions=[one])]
    fields = {"group_id": group, "member_id": member, "generation_id_or_member_epoch": generation, "topics": topics}
    return {**fields, "retention_time_ms": -1, **others}


def fetching(group, version, topics=((TOPIC, (0,)),), **others):
    if version < 8:
        part = FETCH.OffsetFetchRequestTopic
        asked = None if topics is None else [part(name=n, partition_indexes=list(p)) for n, p in topics]
        return {"group_id": group, "topics": asked}
    part = FETCH.OffsetFetchRequestGroup.OffsetFetchRequestTopics
    asked = None if topics is None else [part(name=n, partition_indexes=list(p)) for n, p in topics]
    return {"groups": [FETCH.OffsetFetchRequestGroup(group_id=group, topics=asked, **others)]}


def leaving(member, version, instance=None):
    if version < 3:
        return {"member_id": member}
    return {"members": [LEAVE.MemberIdentity(member_id=member, group_instance_id=instance)]}


def enter(interview, case, group, version=9, instance=None, protocols=("range",)):
    """Makes a stable group of one member; answers its id and generation."""
    fields = joining(group, protocols=protocols, group_instance_id=instance)
    joined = interview.ask(f"{case}: join", JOIN, version, **fields)
    if joined["error_code"] == 79:
        joined = interview.ask(f"{case}: join again", JOIN, version, **(fields | {"member_id": joined["member_id"]}))
    member, generation = joined["member_id"], joined["generation_id"]
    interview.ask(f"{case}: sync", SYNC, 3, **syncing(group, member, generation, [member]))
    return member, generation


def strangers(interview):
    """Groups and members that are not there."""
    for version in range(10):
        interview.ask("join: empty group id", JOIN, version, **joining(""))
        interview.ask("join: session too short", JOIN, version, **joining("g", session_timeout_ms=5))
        interview.ask("join: session too long", JOIN, version, **joining("g", session_timeout_ms=2**31 - 1))
        interview.ask("join: negative session", JOIN, version, **joining("g", session_timeout_ms=-1))
        interview.ask("join: absent group with id", JOIN, version, **joining("absent", "somebody"))
        interview.ask("join: no protocols", JOIN, version, **joining(f"none{version}", protocols=()))
        interview.ask("join: no protocol type", JOIN, version, **joining(f"none{version}", protocol_type=""))
    for version in range(6):
        interview.ask("sync: empty group id", SYNC, version, **syncing("", "somebody", 1))
        interview.ask("sync: absent group", SYNC, version, **syncing("absent", "somebody", 1))
        interview.ask("leave: empty group id", LEAVE, version, group_id="", **leaving("somebody", version))
        interview.ask("leave: absent group", LEAVE, version, group_id="absent", **leaving("somebody", version))
    named = {"protocol_type": "consumer", "protocol_name": "range"}
    interview.ask("sync: absent group, named", SYNC, 5, **syncing("absent", "somebody", 1, **named))
    interview.ask("sync: empty group id, named", SYNC, 5, **syncing("", "somebody", 1, **named))
    for version in range(3, 6):
        interview.ask("leave: nobody", LEAVE, version, group_id="absent", members=[])
        interview.ask("leave: absent instance", LEAVE, version, group_id="absent", **leaving("", version, "i"))
    for version in range(5):
        for group in ("", "absent"):
            interview.ask(f"heartbeat: {group!r}", HEARTBEAT, version, group_id=group, generation_id=1, member_id="m")
    for version in range(2, 10):
        interview.ask("commit: absent group, member", COMMIT, version, **committing("absent", "somebody", 3))
        interview.ask("commit: absent group, generation", COMMIT, version, **committing("absent", "", 3))
        interview.ask("commit: unknown topic", COMMIT, version, **committing("absent", topic="unknown"))
        interview.ask("commit: unknown topic, member", COMMIT, version, **committing("absent", "m", 3, topic="unknown"))
        interview.ask("commit: unknown partition", COMMIT, version, **committing("absent", partition=99))
        interview.ask("commit: negative partition", COMMIT, version, **committing("absent", partition=-1))
        interview.ask("commit: no topics", COMMIT, version, **(committing("absent", "m", 3) | {"topics": []}))
    for version in range(1, 10):
        interview.ask("fetch: absent group", FETCH, version, **fetching("absent", version))
        interview.ask("fetch: empty group id", FETCH, version, **fetching("", version))
        interview.ask("fetch: unknown topic", FETCH, version, **fetching("absent", version, [("unknown", (0, 5))]))
        interview.ask("fetch: no topics", FETCH, version, **fetching("absent", version, []))
        if version >= 2:
            interview.ask("fetch: all of absent group", FETCH, version, **fetching("absent", version, None))
    member = {"member_id": "somebody", "member_epoch": 3}
    interview.ask("fetch: absent group, member", FETCH, 9, **fetching("absent", 9, **member))
    interview.ask("fetch: all of absent group, member", FETCH, 9, **fetching("absent", 9, None, **member))
    twice = fetching("absent", 9)["groups"] * 2
    interview.ask("fetch: a group twice", FETCH, 9, groups=twice)
    for version in range(7):
        interview.ask("describe: absent", DESCRIBE, version, groups=["absent", ""])
        interview.ask("describe: nothing", DESCRIBE, version, groups=[])
    for version in range(3):
        interview.ask("delete: absent", DELETE, version, groups_names=["absent", ""])
        interview.ask("delete: nothing", DELETE, version, groups_names=[])
    offsets = [DELETE_OFFSETS.OffsetDeleteRequestTopic(name=TOPIC, partitions=[])]
    interview.ask("delete offsets: absent group", DELETE_OFFSETS, 0, group_id="absent", topics=offsets)
    interview.ask("delete offsets: empty group id", DELETE_OFFSETS, 0, group_id="", topics=[])
    for version in range(4):
        interview.ask("find: empty key", FIND, version, key="", key_type=0)
        if version >= 1:
            interview.ask("find: unknown type", FIND, version, key="k", key_type=9)
    for version in range(4, 7):
        interview.ask("find: many", FIND, version, key_type=0, coordinator_keys=["a", "", "a"])
        interview.ask("find: none", FIND, version, key_type=0, coordinator_keys=[])
        interview.ask("find: unknown type", FIND, version, key_type=9, coordinator_keys=["k"])


def one_member(interview):
    """A stable group of one, and all that can be wrong about it."""
    group = "one"
    member, generation = enter(interview, "one", group)
    for version in range(5):
        for name, who, when in (
            ("right", member, generation),
            ("stranger", "somebody", generation),
            ("nobody", "", generation),
            ("old generation", member, generation - 1),
            ("new generation", member, generation + 1),
            ("stranger, old generation", "somebody", generation - 1),
        ):
            case = f"heartbeat: {name}"
            interview.ask(case, HEARTBEAT, version, group_id=group, generation_id=when, member_id=who)
    instance = {"group_instance_id": "i"}
    for version in (3, 4):
        fields = {"group_id": group, "generation_id": generation, "member_id": member}
        interview.ask("heartbeat: unknown instance", HEARTBEAT, version, **fields, **instance)
    for version in range(6):
        names = {"protocol_type": "consumer", "protocol_name": "range"} if version >= 5 else {}
        interview.ask("sync: again", SYNC, version, **syncing(group, member, generation, **names))
        interview.ask("sync: stranger", SYNC, version, **syncing(group, "somebody", generation, **names))
        interview.ask("sync: old generation", SYNC, version, **syncing(group, member, generation - 1, **names))
        if version >= 3:
            fields = syncing(group, member, generation, **names, **instance)
            interview.ask("sync: unknown instance", SYNC, version, **fields)
    for name, names in (
        ("no names", {}),
        ("no protocol name", {"protocol_type": "consumer"}),
        ("no protocol type", {"protocol_name": "range"}),
        ("other protocol name", {"protocol_type": "consumer", "protocol_name": "other"}),
        ("other protocol type", {"protocol_type": "other", "protocol_name": "range"}),
    ):
        interview.ask(f"sync: {name}", SYNC, 5, **syncing(group, member, generation, **names))
        interview.ask(f"sync: {name}, stranger", SYNC, 5, **syncing(group, "somebody", generation, **names))
    for version in range(2, 10):
        for name, who, when in (
            ("right", member, generation),
            ("stranger", "somebody", generation),
            ("old generation", member, generation - 1),
            ("new generation", member, generation + 1),
            ("member without generation", member, -1),
            ("generation without member", "", generation),
            ("outside of the group", "", -1),
            ("least generation", member, -(2**31)),
        ):
            interview.ask(f"commit: {name}", COMMIT, version, **committing(group, who, when))
        interview.ask("commit: note too long", COMMIT, version, **committing(group, member, generation, note="n" * 11))
        interview.ask("commit: wide note", COMMIT, version, **committing(group, member, generation, note="é" * 10))
        interview.ask("commit: no note", COMMIT, version, **committing(group, member, generation, note=None))
        interview.ask("commit: wrong topic", COMMIT, version, **committing(group, member, generation, topic="unknown"))
        if version >= 7:
            fields = committing(group, member, generation, **instance)
            interview.ask("commit: unknown instance", COMMIT, version, **fields)
            interview.ask("commit: outside, instance", COMMIT, version, **committing(group, **instance))
    for version in range(1, 10):
        topics = [(TOPIC, (0, 1, 99)), ("unknown", (0,))]
        interview.ask("fetch: some", FETCH, version, **fetching(group, version, topics))
        if version >= 2:
            interview.ask("fetch: all", FETCH, version, **fetching(group, version, None))
    who = {"member_id": "somebody", "member_epoch": 99}
    interview.ask("fetch: stranger", FETCH, 9, **fetching(group, 9, **who))
    for version in range(7):
        interview.ask("describe: stable", DESCRIBE, version, groups=[group])
        if version >= 3:
            fields = {"groups": [group, "absent"], "include_authorized_operations": True}
            interview.ask("describe: operations", DESCRIBE, version, **fields)
    for version in range(3):
        interview.ask("delete: not empty", DELETE, version, groups_names=[group, "absent"])
    part = DELETE_OFFSETS.OffsetDeleteRequestTopic
    known = part(name=TOPIC, partitions=[part.OffsetDeleteRequestPartition(partition_index=i) for i in (0, 99)])
    unknown = part(name="unknown", partitions=[part.OffsetDeleteRequestPartition(partition_index=0)])
    interview.ask("delete offsets: not empty", DELETE_OFFSETS, 0, group_id=group, topics=[known, unknown])
    for version in range(10):
        interview.ask("join: stranger", JOIN, version, **joining(group, "somebody"))
        interview.ask("join: other protocols", JOIN, version, **joining(group, protocols=("other",)))
        interview.ask("join: other protocols, member", JOIN, version, **joining(group, member, protocols=("other",)))
        interview.ask("join: other protocol type", JOIN, version, **joining(group, protocol_type="connect"))
        interview.ask("join: none of the protocols", JOIN, version, **joining(group, protocols=()))
        if version >= 5:
            interview.ask("join: unknown instance with id", JOIN, version, **joining(group, "somebody", **instance))
            interview.ask("join: member with instance", JOIN, version, **joining(group, member, **instance))
    for version in range(6):
        interview.ask("leave: stranger", LEAVE, version, group_id=group, **leaving("somebody", version))
        if version >= 3:
            interview.ask("leave: unknown instance", LEAVE, version, group_id=group, **leaving("", version, "i"))
            interview.ask("leave: wrong instance", LEAVE, version, group_id=group, **leaving(member, version, "i"))
            interview.ask("leave: neither id nor instance", LEAVE, version, group_id=group, **leaving("", version))
            interview.ask("leave: no members", LEAVE, version, group_id=group, members=[])
    two = [LEAVE.MemberIdentity(member_id=who, group_instance_id=None) for who in ("somebody", member, member)]
    interview.ask("leave: among strangers", LEAVE, 5, group_id=group, members=two)
    empty_group(interview, group, member, generation, [known, unknown])


def empty_group(interview, group, member, generation, offsets):
    """What is left of a group when its last member has gone."""
    interview.ask("empty: heartbeat", HEARTBEAT, 4, group_id=group, generation_id=generation, member_id=member)
    interview.ask("empty: sync", SYNC, 3, **syncing(group, member, generation))
    interview.ask("empty: old member joins", JOIN, 9, **joining(group, member))
    interview.ask("empty: old member joins without protocols", JOIN, 9, **joining(group, member, protocols=()))
    interview.ask("empty: leave", LEAVE, 5, group_id=group, **leaving(member, 5))
    for version in range(2, 10):
        interview.ask("empty: commit, member", COMMIT, version, **committing(group, member, generation))
        interview.ask("empty: commit, no generation", COMMIT, version, **committing(group, member, -1))
        interview.ask("empty: commit, next generation", COMMIT, version, **committing(group, "", generation + 1))
        interview.ask("empty: commit, outside", COMMIT, version, **committing(group))
    for version in range(7):
        interview.ask("empty: describe", DESCRIBE, version, groups=[group])
    interview.ask("empty: delete offsets", DELETE_OFFSETS, 0, group_id=group, topics=offsets)
    interview.ask("empty: fetch", FETCH, 9, **fetching(group, 9, None))
    interview.ask("empty: delete", DELETE, 2, groups_names=[group])
    interview.ask("deleted: fetch", FETCH, 9, **fetching(group, 9, None))
    interview.ask("deleted: describe", DESCRIBE, 6, groups=[group])


def promised(interview):
    """An id that was given out and not used yet."""
    for version in (4, 9):
        group = f"promised{version}"
        member = interview.ask("promise", JOIN, version, **joining(group))["member_id"]
        interview.ask(f"promised {version}: describe", DESCRIBE, 6, groups=[group])
        fields = {"group_id": group, "generation_id": 0, "member_id": member}
        interview.ask(f"promised {version}: heartbeat", HEARTBEAT, 4, **fields)
        interview.ask(f"promised {version}: sync", SYNC, 3, **syncing(group, member, 0))
        interview.ask(f"promised {version}: commit", COMMIT, 9, **committing(group, member, 0))
        interview.ask(f"promised {version}: other protocols", JOIN, version, **joining(group, member, ()))
        if version >= 5:
            fields = joining(group, member, group_instance_id="i")
            interview.ask("promised, with a name", JOIN, version, **fields)
        interview.ask(f"promised {version}: delete", DELETE, 2, groups_names=[group])
        interview.ask(f"promised {version}: late", JOIN, version, **joining(group, member))
        member = interview.ask(f"promise anew {version}", JOIN, version, **joining(group))["member_id"]
        interview.ask(f"promised {version}: leave", LEAVE, 5, group_id=group, **leaving(member, 5))
        interview.ask(f"promised {version}: after leaving", JOIN, version, **joining(group, member))


def rebalancing(interview):
    """Two members; one of them does not come back at once."""
    group = "two"
    first, generation = enter(interview, "two", group)
    second = interview.ask("two: second", JOIN, 9, **joining(group))["member_id"]
    waiting = interview.connect()
    waiting.send(JOIN, 9, **joining(group, second))
    wait_for(interview, group, "PreparingRebalance")
    for version in range(5):
        fields = {"group_id": group, "generation_id": generation, "member_id": first}
        interview.ask("preparing: heartbeat", HEARTBEAT, version, **fields)
        interview.ask("preparing: sync", SYNC, version, **syncing(group, first, generation))
    interview.ask("preparing: commit", COMMIT, 9, **committing(group, first, generation))
    interview.ask("preparing: commit of the new one", COMMIT, 9, **committing(group, second, generation))
    interview.ask("preparing: heartbeat of the new one", HEARTBEAT, 4, **(fields | {"member_id": second}))
    interview.ask("preparing: describe", DESCRIBE, 6, groups=[group])
    interview.ask("preparing: delete", DELETE, 2, groups_names=[group])
    # Kafka leaves the join that this one supersedes without an answer for ever.
    again = interview.connect()
    again.send(JOIN, 9, **joining(group, second))
    time.sleep(0.2)
    joined = interview.ask("preparing: first joins again", JOIN, 9, **joining(group, first))
    interview.note("preparing: second has joined", again.receive())
    generation = joined["generation_id"]
    fields = {"group_id": group, "generation_id": generation, "member_id": first}
    interview.ask("completing: heartbeat", HEARTBEAT, 4, **fields)
    interview.ask("completing: heartbeat, old", HEARTBEAT, 4, **(fields | {"generation_id": generation - 1}))
    for version in range(2, 10):
        interview.ask("completing: commit", COMMIT, version, **committing(group, first, generation))
        interview.ask("completing: commit, old", COMMIT, version, **committing(group, first, generation - 1))
        interview.ask("completing: commit, outside", COMMIT, version, **committing(group))
    interview.ask("completing: describe", DESCRIBE, 6, groups=[group])
    for version in (0, 4, 6, 9):
        interview.ask("completing: leader joins again", JOIN, version, **joining(group, first))
        interview.ask("completing: follower joins again", JOIN, version, **joining(group, second))
    waiting = interview.connect()
    again.send(SYNC, 3, **syncing(group, second, generation))
    wait_for(interview, group, "CompletingRebalance")
    third = interview.ask("completing: third", JOIN, 9, **joining(group))["member_id"]
    waiting.send(JOIN, 9, **joining(group, third))
    interview.note("completing: sync ended by a third", again.receive())
    again.send(JOIN, 9, **joining(group, second))
    time.sleep(0.2)
    interview.ask("preparing: third leaves", LEAVE, 5, group_id=group, **leaving(third, 5))
    interview.note("preparing: join ended by leaving", waiting.receive())
    joined = interview.ask("two: leader joins", JOIN, 9, **joining(group, first))
    interview.note("two: follower has joined", again.receive())
    generation = joined["generation_id"]
    again.send(SYNC, 3, **syncing(group, second, generation))
    interview.ask("two: leader syncs for itself", SYNC, 3, **syncing(group, first, generation, [first, "somebody"]))
    interview.note("two: follower gets nothing", again.receive())
    for version in (0, 3, 5, 7, 9):
        interview.ask("two: follower joins again", JOIN, version, **joining(group, second))
    interview.ask("two: describe", DESCRIBE, 6, groups=[group])


def twice(interview):
    """Topics that are named twice. (Kafka never answers a member that names a protocol twice.)"""
    one = committing("twice")
    interview.ask("commit: a topic twice", COMMIT, 9, **(one | {"topics": one["topics"] * 2}))
    interview.ask("fetch: a topic twice", FETCH, 9, **fetching("twice", 9, [(TOPIC, (0, 0)), (TOPIC, (0,))]))


def by_id(interview):
    """Topics that are named by their ids."""
    nobody = "00000000-0000-0000-0000-00000000000f"
    one = committing("ids")["topics"][0].partitions
    wrong = COMMIT.OffsetCommitRequestTopic.OffsetCommitRequestPartition(
        partition_index=99, committed_offset=7, committed_leader_epoch=-1, committed_metadata=None
    )
    for name, topic in (("known", interview.topic_id), ("unknown", nobody), ("no", str(uuid.UUID(int=0)))):
        topics = [COMMIT.OffsetCommitRequestTopic(topic_id=uuid.UUID(topic), partitions=[*one, wrong])]
        for who, member, generation in (("outside", "", -1), ("member", "somebody", 3)):
            fields = committing("ids", member, generation) | {"topics": topics}
            interview.ask(f"commit: {name} id, {who}", COMMIT, 10, **fields)
        asked = FETCH.OffsetFetchRequestGroup.OffsetFetchRequestTopics
        topics = [asked(topic_id=uuid.UUID(topic), partition_indexes=[0, 1, 99])]
        groups = [FETCH.OffsetFetchRequestGroup(group_id=group, topics=topics) for group in ("ids", "absent")]
        interview.ask(f"fetch: {name} id", FETCH, 10, groups=groups)
    groups = [FETCH.OffsetFetchRequestGroup(group_id="ids", topics=None)]
    interview.ask("fetch: all by id", FETCH, 10, groups=groups)


def wait_for(interview, group, state):
    deadline = time.monotonic() + SECONDS_MAX
    while interview.main.ask(DESCRIBE, 5, groups=[group])["groups"][0]["group_state"] != state:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{group} does not become {state}")
        time.sleep(0.02)
    time.sleep(0.2)  # for what was sent before on another connection


def instances(interview):
    """Static members, and others in their place."""
    for version in (5, 6, 7, 8, 9):
        group, instance = f"static{version}", {"group_instance_id": "i"}
        old, generation = enter(interview, f"static {version}", group, version, "i")
        replaced = interview.ask(f"static {version}: comes back", JOIN, version, **joining(group, **instance))
        member = replaced["member_id"]
        interview.ask(f"static {version}: old joins", JOIN, version, **joining(group, old, **instance))
        interview.ask(f"static {version}: old joins without name", JOIN, version, **joining(group, old))
        fields = {"group_id": group, "generation_id": generation, "member_id": old}
        interview.ask(f"static {version}: old heartbeat", HEARTBEAT, 3, **fields, **instance)
        interview.ask(f"static {version}: old heartbeat without name", HEARTBEAT, 3, **fields)
        interview.ask(f"static {version}: old sync", SYNC, 3, **syncing(group, old, generation, **instance))
        interview.ask(f"static {version}: new one syncs", SYNC, 3, **syncing(group, member, generation, **instance))
        interview.ask(f"static {version}: sync without name", SYNC, 3, **syncing(group, member, generation))
        interview.ask(f"static {version}: old commit", COMMIT, 7, **committing(group, old, generation, **instance))
        interview.ask(f"static {version}: commit", COMMIT, 7, **committing(group, member, generation, **instance))
        interview.ask(f"static {version}: old leaves", LEAVE, 3, group_id=group, **leaving(old, 3, "i"))
        interview.ask(f"static {version}: describe", DESCRIBE, 5, groups=[group])
        interview.ask(f"static {version}: removed by name", LEAVE, 3, group_id=group, **leaving("", 3, "i"))
        interview.ask(f"static {version}: after removal", HEARTBEAT, 3, **(fields | {"member_id": member}), **instance)


def full_group(interview):
    """More members than group.max.size."""
    group, others = "full", []
    joined = interview.ask("full: first", JOIN, 3, **joining(group))
    members = [joined["member_id"]]
    for count in (2, 3):
        other = interview.connect()
        other.send(JOIN, 3, **joining(group))
        others.append(other)
        wait_for(interview, group, "PreparingRebalance")
        joined = interview.ask(f"full: first joins for {count}", JOIN, 3, **joining(group, members[0]))
        for index, waiting in enumerate(others):
            answer = interview.note(f"full: {index} of {count}", waiting.receive())
            if index == count - 2:
                members.append(answer["member_id"])
        if count == 2:
            fields = syncing(group, members[0], joined["generation_id"])
            interview.ask("full: sync", SYNC, 3, **fields)
            others[0].send(JOIN, 3, **joining(group, members[1], ("range", "more")))
    for version in range(10):
        interview.ask("full: one too many", JOIN, version, **joining(group))


def lists(interview):
    """What is there in the end, by all filters."""
    interview.ask_all("list", LIST, range(6))
    for states, types in (
        (["Stable"], []),
        (["stable"], []),
        (["nonsense"], []),
        (["Dead", "EMPTY"], []),
        ([""], []),
        ([], ["classic"]),
        ([], ["Classic"]),
        ([], ["consumer"]),
        ([], ["nonsense"]),
        ([], [""]),
        (["Empty"], ["classic", "consumer"]),
    ):
        interview.ask(f"list {states} {types}", LIST, 5, states_filter=states, types_filter=types)


CLASSIC = (strangers, one_member, by_id, promised, rebalancing, instances, full_group)
CHAPTERS = (*CLASSIC, *consumer_answers.CHAPTERS, lists, twice)


def interview(broker):
    interview = Interview(broker.port)
    part = admin.CreateTopicsRequest.CreatableTopic
    topic = part(name=TOPIC, num_partitions=2, replication_factor=1, assignments=[], configs=[])
    created = interview.main.ask(admin.CreateTopicsRequest, 7, topics=[topic], timeout_ms=10_000, validate_only=False)
    interview.topic_id = created["topics"][0]["topic_id"]
    deadline = time.monotonic() + SECONDS_MAX
    while True:  # until all coordinators are there
        found = interview.main.ask(FIND, 4, key_type=0, coordinator_keys=["a", "b", "c", "one", "two"])
        ready = all(one["error_code"] == 0 for one in found["coordinators"])
        fetched = [interview.main.ask(FETCH, 8, **fetching(group, 8)) for group in ("a", "b", "c")]
        if ready and all(one["groups"][0]["error_code"] == 0 for one in fetched):
            break
        if time.monotonic() > deadline:
            raise TimeoutError("no coordinator")
        time.sleep(0.1)
    for chapter in CHAPTERS:
        try:
            chapter(interview)
        except (OSError, KeyError, AssertionError, TimeoutError) as error:
            # A difference whatever the other says: what follows was not asked.
            interview.note(f"{chapter.__name__} ended early", {"of": f"{interview.port} {error!r}"})
    return interview.answers


if __name__ == "__main__":
    sys.exit(compare(__doc__, SETTINGS, interview, KNOWN))
