"""Driver for confluent-kafka (librdkafka)."""

import sys
import time

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
    libversion,
    version,
)
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic

from driver import Record, Sink, records_of, serve

PROTOCOLS = {
    None: {},
    "eager": {"partition.assignment.strategy": "range"},
    "cooperative": {"partition.assignment.strategy": "cooperative-sticky"},
    "consumer": {"group.protocol": "consumer"},
}


class Confluent:
    def __init__(self, address):
        self.base = {"bootstrap.servers": address, "client.id": "confluent-kafka"}
        self.admin = AdminClient(self.base)
        self.producers = {}
        self.members = {}
        self.events = {}  # of each member, since the last answer

    def hello(self, _):
        return {
            "version": f"{version()} (librdkafka {libversion()[0]})",
            "codecs": ["none", "gzip", "snappy", "lz4", "zstd"],
        }

    def create_topic(self, c):
        new = NewTopic(c["topic"], c["partitions"], 1, config=c.get("config", {}))
        self.admin.create_topics([new], request_timeout=20)[c["topic"]].result()
        return {}

    def delete_topic(self, c):
        self.admin.delete_topics([c["topic"]], request_timeout=20)[c["topic"]].result()
        return {}

    def describe_topic(self, c):
        found = self.admin.describe_topics(TopicCollection([c["topic"]]), request_timeout=20)[c["topic"]].result()
        return {
            "partitions": [
                {"id": p.id, "leader": p.leader.id, "replicas": [n.id for n in p.replicas], "isr": [n.id for n in p.isr]}
                for p in found.partitions
            ]
        }

    def add_partitions(self, c):
        self.admin.create_partitions([NewPartitions(c["topic"], c["partitions"])])[c["topic"]].result(20)
        return {}

    def describe_config(self, c):
        resource = ConfigResource("topic", c["topic"])
        found = self.admin.describe_configs([resource], request_timeout=20)[resource].result()
        return {"value": found[c["name"]].value}

    def alter_config(self, c):
        change = ConfigEntry(c["name"], c["value"], incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource("topic", c["topic"], incremental_configs=[change])
        self.admin.incremental_alter_configs([resource], request_timeout=20)[resource].result()
        return {}

    def delete_records(self, c):
        partition = TopicPartition(c["topic"], c["partition"], c["before"])
        result = self.admin.delete_records([partition], request_timeout=20)[partition].result()
        return {"low_watermark": result.low_watermark}

    def offsets(self, c):
        consumer = self.consumer()
        try:
            low, high = consumer.get_watermark_offsets(TopicPartition(c["topic"], c["partition"]), timeout=20)
            return {"earliest": low, "latest": high}
        finally:
            consumer.close()

    def offset_for_time(self, c):
        consumer = self.consumer()
        try:
            return {"offset": found_offset(consumer, c["topic"], c["partition"], c["timestamp"])}
        finally:
            consumer.close()

    def produce(self, c):
        producer = self.producers.get(c.get("producer"))
        if producer is None:
            producer = Producer(
                self.base
                | {
                    "acks": c.get("acks", "all"),
                    "compression.type": c.get("codec", "none"),
                    "enable.idempotence": c.get("idempotent", False),
                    "message.max.bytes": 2_000_000,
                    "linger.ms": 5,
                }
            )
            if "producer" in c:
                self.producers[c["producer"]] = producer
        offsets, failures = [], []

        def delivered(error, message):
            if error:
                failures.append(error)
            else:
                offsets.append(message.offset())

        for r in records_of(c):
            options = {} if r.timestamp is None else {"timestamp": r.timestamp}
            while True:
                try:
                    producer.produce(
                        c["topic"], r.value, r.key, c["partition"], headers=r.headers, on_delivery=delivered, **options
                    )
                    break
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
        left = producer.flush(c.get("timeout", 60))
        if failures:
            raise KafkaException(failures[0])
        if left:
            raise TimeoutError(f"{left} records undelivered")
        return {"offsets": offsets if c.get("acks") != "0" and len(offsets) <= 1000 else None, "count": len(offsets)}

    def begin(self, c):
        producer = self.producers.get(c["producer"])
        if producer is None:
            transactional = {
                "transactional.id": c["transactional_id"],
                "transaction.timeout.ms": c["transaction_timeout_ms"],
                "linger.ms": 5,
            }
            producer = Producer(self.base | transactional)
            producer.init_transactions(30)
            self.producers[c["producer"]] = producer
        producer.begin_transaction()
        return {}

    def send_offset(self, c):
        consumer = self.consumer({"group.id": c["group"]})
        try:
            offset = TopicPartition(c["topic"], c["partition"], c["offset"])
            group = consumer.consumer_group_metadata()
            self.producers[c["producer"]].send_offsets_to_transaction([offset], group, 30)
        finally:
            consumer.close()
        return {}

    def end(self, c):
        producer = self.producers[c["producer"]]
        if c["commit"]:
            producer.commit_transaction(30)
        else:
            producer.abort_transaction(30)
        return {}

    def consume(self, c):
        start = c["from"]
        consumer = self.consumer({"isolation.level": c.get("isolation", "read_committed")})
        try:
            if isinstance(start, dict):
                start = found_offset(consumer, c["topic"], c["partition"], start["timestamp"])
            elif start == "earliest":
                start = -2
            consumer.assign([TopicPartition(c["topic"], c["partition"], start)])
            sink = Sink(c)
            fill(consumer, sink, c.get("timeout", 60))
            return sink.answer()
        finally:
            consumer.close()

    def tail(self, c):
        consumer = self.consumer({"enable.partition.eof": True})
        try:
            consumer.assign([TopicPartition(c["topic"], c["partition"], -1)])
            for _ in range(200):
                message = consumer.poll(0.1)
                if message and message.error() and message.error().code() == KafkaError._PARTITION_EOF:
                    break
            else:
                raise TimeoutError("never reached the end")
            produced = self.produce(c)
            sink = Sink({"count": produced["count"]})
            fill(consumer, sink, 20)
            return sink.answer()
        finally:
            consumer.close()

    def subscribe(self, c):
        consumer = self.consumer({"group.id": c["group"], "auto.offset.reset": "earliest"})
        try:
            consumer.subscribe([c["topic"]])
            sink = Sink(c)
            fill(consumer, sink, c.get("timeout", 60))
            consumer.commit(offsets=[TopicPartition(c["topic"], c["partition"], sink.last + 1)], asynchronous=False)
            return sink.answer()
        finally:
            consumer.close()

    def join_group(self, c):
        protocol = PROTOCOLS[c.get("protocol")]
        joining = {"group.id": c["group"], "auto.offset.reset": "earliest", "session.timeout.ms": 10_000} | protocol
        if "session_ms" in c:
            joining |= {"session.timeout.ms": c["session_ms"], "heartbeat.interval.ms": c["session_ms"] // 6}
        if protocol.get("group.protocol") == "consumer":  # where the broker says when a session ends
            joining = {k: v for k, v in joining.items() if k not in ("session.timeout.ms", "heartbeat.interval.ms")}
        if "instance" in c:
            joining["group.instance.id"] = c["instance"]
        member = self.members[c["member"]] = self.consumer(joining)
        events = self.events[c["member"]] = []

        def note(what):
            return lambda _, partitions: events.append([time.time(), what, None, sorted(p.partition for p in partitions)])

        member.subscribe([c["topic"]], on_assign=note("assigned"), on_revoke=note("revoked"), on_lost=note("lost"))
        return {}

    def poll(self, c):
        member = self.members[c["member"]]
        taken = [[m.partition(), m.offset()] for m in member.consume(500, timeout=1) if not m.error()]
        assigned = sorted(p.partition for p in member.assignment())
        return {"assigned": assigned, "taken": taken, "events": self.new_events(c)}

    def new_events(self, c):
        events = self.events[c["member"]]
        new = events[:]
        del events[: len(new)]
        return new

    def commit(self, c):
        try:
            self.members[c["member"]].commit(asynchronous=False)
        except KafkaException as e:
            if e.args[0].code() != KafkaError._NO_OFFSET:  # nothing was read since
                raise
        return {"events": self.new_events(c)}

    def leave(self, c):
        self.members.pop(c["member"]).close()
        return {"events": self.new_events(c)}

    def consumer(self, more=None):
        return Consumer(
            self.base
            | {"group.id": "unused", "enable.auto.commit": False, "auto.offset.reset": "error", "check.crcs": True}
            | (more or {})
        )


def found_offset(consumer, topic, partition, timestamp):
    [found] = consumer.offsets_for_times([TopicPartition(topic, partition, timestamp)], timeout=20)
    return found.offset


def fill(consumer, sink, timeout):
    deadline = time.monotonic() + timeout
    while not sink.full():
        if time.monotonic() > deadline:
            raise TimeoutError(f"read {sink.taken} of {sink.wanted} records")
        for message in consumer.consume(1000, timeout=0.2):
            if message.error():
                if message.error().code() == KafkaError._PARTITION_EOF:
                    continue
                raise KafkaException(message.error())
            sink.take(
                Record(message.key(), message.value(), message.headers() or [], message.timestamp()[1], message.offset())
            )


if __name__ == "__main__":
    serve(Confluent(sys.argv[1]))
