"""Driver for kafka-python."""

import sys
import threading
import time

import kafka
from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic

from driver import NotAvailable, Record, Sink, records_of, serve


class Member:
    """Polls without pause on a thread of its own: kafka-python starts a join anew that ended between two polls."""

    def __init__(self, base, group, topic):
        self.consumer = KafkaConsumer(
            **base,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=10_000,
        )
        self.consumer.subscribe([topic])
        self.taken, self.lock, self.left = [], threading.Lock(), threading.Event()
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        while not self.left.is_set():
            with self.lock:
                fetched = self.consumer.poll(timeout_ms=200, max_records=500)
                self.taken += [[r.partition, r.offset] for records in fetched.values() for r in records]
            time.sleep(0.01)  # lets others have the lock

    def leave(self):
        self.left.set()
        self.thread.join()
        self.consumer.close(autocommit=False)


class KafkaPython:
    def __init__(self, address):
        self.base = {"bootstrap_servers": address, "client_id": "kafka-python"}
        self.producers = {}
        self.members = {}

    def hello(self, _):
        return {"version": kafka.__version__, "codecs": ["none", "gzip", "snappy", "lz4", "zstd"]}

    def with_admin(self, use):
        """A client per command: an open one answers NodeNotReadyError once after its broker restarted."""
        admin = KafkaAdminClient(**self.base)
        try:
            return use(admin)
        finally:
            admin.close()

    def create_topic(self, c):
        new = NewTopic(c["topic"], c["partitions"], 1, topic_configs=c.get("config", {}))
        self.with_admin(lambda admin: admin.create_topics([new], timeout_ms=20_000))
        return {}

    def delete_topic(self, c):
        self.with_admin(lambda admin: admin.delete_topics([c["topic"]], timeout_ms=20_000))
        return {}

    def describe_topic(self, c):
        [found] = self.with_admin(lambda admin: admin.describe_topics([c["topic"]]))
        return {
            "partitions": [
                {
                    "id": p["partition_index"],
                    "leader": p["leader_id"],
                    "replicas": p["replica_nodes"],
                    "isr": p["isr_nodes"],
                }
                for p in found["partitions"]
            ]
        }

    def add_partitions(self, c):
        self.with_admin(lambda admin: admin.create_partitions({c["topic"]: c["partitions"]}, timeout_ms=20_000))
        return {}

    def describe_config(self, c):
        resource = ConfigResource(ConfigResourceType.TOPIC, c["topic"])
        found = self.with_admin(lambda admin: admin.describe_configs([resource], config_filter="all"))
        return {"value": found["topic"][c["topic"]][c["name"]]["value"]}

    def alter_config(self, c):
        resource = ConfigResource(ConfigResourceType.TOPIC, c["topic"], configs={c["name"]: c["value"]})
        self.with_admin(lambda admin: admin.alter_configs([resource]))
        return {}

    def delete_records(self, c):
        partition = TopicPartition(c["topic"], c["partition"])
        wanted = {partition: c["before"]}
        result = self.with_admin(lambda admin: admin.delete_records(wanted, timeout_ms=20_000))
        return {"low_watermark": result[partition]["low_watermark"]}

    def join_group(self, c):
        self.members[c["member"]] = Member(self.base, c["group"], c["topic"])
        return {}

    def poll(self, c):
        time.sleep(1)
        member = self.members[c["member"]]
        with member.lock:
            taken, member.taken = member.taken, []
            return {"assigned": sorted(p.partition for p in member.consumer.assignment()), "taken": taken}

    def commit(self, c):
        member = self.members[c["member"]]
        with member.lock:
            member.consumer.commit()
        return {}

    def leave(self, c):
        self.members.pop(c["member"]).leave()
        return {}

    def offsets(self, c):
        partition = TopicPartition(c["topic"], c["partition"])
        consumer = self.consumer()
        try:
            return {
                "earliest": consumer.beginning_offsets([partition])[partition],
                "latest": consumer.end_offsets([partition])[partition],
            }
        finally:
            consumer.close()

    def offset_for_time(self, c):
        partition = TopicPartition(c["topic"], c["partition"])
        consumer = self.consumer()
        try:
            return {"offset": consumer.offsets_for_times({partition: c["timestamp"]})[partition].offset}
        finally:
            consumer.close()

    def produce(self, c):
        producer = self.producers.get(c.get("producer"))
        opened = producer is None
        if opened:
            codec = c.get("codec", "none")
            acks = c.get("acks", "all")
            producer = KafkaProducer(
                **self.base,
                acks=acks if acks == "all" else int(acks),
                compression_type=None if codec == "none" else codec,
                enable_idempotence=c.get("idempotent", False),
                max_request_size=2_000_000,
                linger_ms=5,
            )
            if "producer" in c:
                self.producers[c["producer"]] = producer
        try:
            sent = [
                producer.send(c["topic"], r.value, r.key, sendable(r.headers), c["partition"], r.timestamp)
                for r in records_of(c)
            ]
            producer.flush(timeout=c.get("timeout", 60))
            results = [future.get(timeout=c.get("timeout", 60)) for future in sent]
        finally:
            if opened and "producer" not in c:
                producer.close(timeout=5)
        offsets = [r.offset for r in results]
        return {"offsets": offsets if c.get("acks") != "0" and len(offsets) <= 1000 else None, "count": len(offsets)}

    def begin(self, c):
        producer = self.producers.get(c["producer"])
        if producer is None:
            producer = KafkaProducer(
                **self.base,
                transactional_id=c["transactional_id"],
                transaction_timeout_ms=c["transaction_timeout_ms"],
                linger_ms=5,
            )
            producer.init_transactions()
            self.producers[c["producer"]] = producer
        producer.begin_transaction()
        return {}

    def send_offset(self, c):
        offsets = {TopicPartition(c["topic"], c["partition"]): OffsetAndMetadata(c["offset"], "", -1)}
        self.producers[c["producer"]].send_offsets_to_transaction(offsets, c["group"])
        return {}

    def end(self, c):
        producer = self.producers[c["producer"]]
        if c["commit"]:
            producer.commit_transaction()
        else:
            producer.abort_transaction()
        return {}

    def consume(self, c):
        partition = TopicPartition(c["topic"], c["partition"])
        consumer = self.consumer(isolation_level=c.get("isolation", "read_uncommitted"))
        try:
            consumer.assign([partition])
            start = c["from"]
            if start == "earliest":
                consumer.seek_to_beginning(partition)
            elif isinstance(start, dict):
                consumer.seek(partition, consumer.offsets_for_times({partition: start["timestamp"]})[partition].offset)
            else:
                consumer.seek(partition, start)
            sink = Sink(c)
            fill(consumer, partition, sink, c.get("timeout", 60))
            return sink.answer()
        finally:
            consumer.close()

    def tail(self, c):
        partition = TopicPartition(c["topic"], c["partition"])
        consumer = self.consumer()
        try:
            consumer.assign([partition])
            consumer.seek_to_end(partition)
            consumer.position(partition)
            produced = self.produce(c)
            sink = Sink({"count": produced["count"]})
            fill(consumer, partition, sink, 20)
            return sink.answer()
        finally:
            consumer.close()

    def subscribe(self, c):
        partition = TopicPartition(c["topic"], c["partition"])
        # A join that finds the coordinator still loading leaves a member behind, which the next one waits for.
        consumer = self.consumer(group_id=c["group"], auto_offset_reset="earliest", session_timeout_ms=10_000)
        try:
            consumer.subscribe([c["topic"]])
            sink = Sink(c)
            fill(consumer, partition, sink, c.get("timeout", 60))
            consumer.commit({partition: OffsetAndMetadata(sink.last + 1, "", -1)})
            return sink.answer()
        finally:
            consumer.close()

    def consumer(self, group_id=None, auto_offset_reset="none", **more):
        return KafkaConsumer(
            **self.base,
            group_id=group_id,
            auto_offset_reset=auto_offset_reset,
            enable_auto_commit=False,
            check_crcs=True,
            **more,
        )


def sendable(headers):
    if any(value is None for _, value in headers):
        raise NotAvailable("kafka-python sends no null header value")
    return headers


def fill(consumer, partition, sink, timeout):
    deadline = time.monotonic() + timeout
    while not sink.full():
        if time.monotonic() > deadline:
            raise TimeoutError(f"read {sink.taken} of {sink.wanted} records")
        for r in consumer.poll(200, max_records=5000).get(partition, []):
            sink.take(Record(r.key, r.value, list(r.headers), r.timestamp, r.offset))


if __name__ == "__main__":
    serve(KafkaPython(sys.argv[1]))
