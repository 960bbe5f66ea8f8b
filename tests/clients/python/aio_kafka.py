"""Driver for aiokafka. Its event loop runs on a thread of its own, so that an open producer lives between commands."""

import asyncio
import functools
import sys
import threading
import time

import aiokafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from driver import Record, Sink, records_of, serve


def on_loop(operation):
    @functools.wraps(operation)
    def run(self, command):
        return asyncio.run_coroutine_threadsafe(operation(self, command), self.loop).result()

    return run


class AioKafka:
    def __init__(self, address):
        self.base = {"bootstrap_servers": address, "client_id": "aiokafka"}
        self.producers = {}
        self.members = {}
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def hello(self, _):
        return {"version": aiokafka.__version__, "codecs": ["none", "gzip", "snappy", "lz4", "zstd"]}

    async def with_admin(self, use):
        admin = AIOKafkaAdminClient(**self.base)
        await admin.start()
        try:
            return await use(admin)
        finally:
            await admin.close()

    @on_loop
    async def create_topic(self, c):
        new = NewTopic(c["topic"], c["partitions"], 1, topic_configs=c.get("config", {}))
        refused_in(await self.with_admin(lambda admin: admin.create_topics([new], timeout_ms=20_000)))
        return {}

    @on_loop
    async def delete_topic(self, c):
        refused_in(await self.with_admin(lambda admin: admin.delete_topics([c["topic"]], timeout_ms=20_000)))
        return {}

    @on_loop
    async def describe_topic(self, c):
        [found] = await self.with_admin(lambda admin: admin.describe_topics([c["topic"]]))
        return {
            "partitions": [
                {"id": p["partition"], "leader": p["leader"], "replicas": list(p["replicas"]), "isr": list(p["isr"])}
                for p in found["partitions"]
            ]
        }

    @on_loop
    async def add_partitions(self, c):
        wanted = {c["topic"]: NewPartitions(c["partitions"])}
        refused_in(await self.with_admin(lambda admin: admin.create_partitions(wanted, timeout_ms=20_000)))
        return {}

    @on_loop
    async def describe_config(self, c):
        resource = ConfigResource(ConfigResourceType.TOPIC, c["topic"])
        [answer] = await self.with_admin(lambda admin: admin.describe_configs([resource]))
        [(_, _, _, _, entries)] = answer.resources
        return {"value": next(value for name, value, *_ in entries if name == c["name"])}

    @on_loop
    async def alter_config(self, c):
        resource = ConfigResource(ConfigResourceType.TOPIC, c["topic"], {c["name"]: c["value"]})
        await self.with_admin(lambda admin: admin.alter_configs([resource]))
        return {}

    @on_loop
    async def delete_records(self, c):
        partition = TopicPartition(c["topic"], c["partition"])
        wanted = {partition: RecordsToDelete(before_offset=c["before"])}
        result = await self.with_admin(lambda admin: admin.delete_records(wanted, timeout_ms=20_000))
        return {"low_watermark": result[partition]}

    @on_loop
    async def join_group(self, c):
        member = AIOKafkaConsumer(
            c["topic"],
            **self.base,
            group_id=c["group"],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        self.members[c["member"]] = member
        await member.start()
        return {}

    @on_loop
    async def poll(self, c):
        member = self.members[c["member"]]
        fetched = await member.getmany(timeout_ms=1000, max_records=500)
        taken = [[r.partition, r.offset] for records in fetched.values() for r in records]
        return {"assigned": sorted(p.partition for p in member.assignment()), "taken": taken}

    @on_loop
    async def commit(self, c):
        await self.members[c["member"]].commit()
        return {}

    @on_loop
    async def leave(self, c):
        await self.members.pop(c["member"]).stop()
        return {}

    @on_loop
    async def offsets(self, c):
        partition = TopicPartition(c["topic"], c["partition"])
        consumer = await self.consumer()
        try:
            return {
                "earliest": (await consumer.beginning_offsets([partition]))[partition],
                "latest": (await consumer.end_offsets([partition]))[partition],
            }
        finally:
            await consumer.stop()

    @on_loop
    async def offset_for_time(self, c):
        partition = TopicPartition(c["topic"], c["partition"])
        consumer = await self.consumer()
        try:
            return {"offset": (await consumer.offsets_for_times({partition: c["timestamp"]}))[partition].offset}
        finally:
            await consumer.stop()

    @on_loop
    async def produce(self, c):
        return await self.send(c)

    async def send(self, c):
        producer = self.producers.get(c.get("producer"))
        opened = producer is None
        if opened:
            codec = c.get("codec", "none")
            acks = c.get("acks", "all")
            producer = AIOKafkaProducer(
                **self.base,
                acks=acks if acks == "all" else int(acks),
                compression_type=None if codec == "none" else codec,
                enable_idempotence=c.get("idempotent", False),
                max_request_size=2_000_000,
                linger_ms=5,
            )
            await producer.start()
            if "producer" in c:
                self.producers[c["producer"]] = producer
        try:
            sent = [
                await producer.send(
                    c["topic"], r.value, r.key, c["partition"], timestamp_ms=r.timestamp, headers=r.headers
                )
                for r in records_of(c)
            ]
            await asyncio.wait_for(producer.flush(), c.get("timeout", 60))
            results = await asyncio.gather(*sent)
        finally:
            if opened and "producer" not in c:
                await producer.stop()
        if c.get("acks") == "0":
            return {"offsets": None, "count": len(results)}
        offsets = [r.offset for r in results]
        return {"offsets": offsets if len(offsets) <= 1000 else None, "count": len(offsets)}

    @on_loop
    async def begin(self, c):
        producer = self.producers.get(c["producer"])
        if producer is None:
            producer = AIOKafkaProducer(
                **self.base,
                transactional_id=c["transactional_id"],
                transaction_timeout_ms=c["transaction_timeout_ms"],
                linger_ms=5,
            )
            await producer.start()
            self.producers[c["producer"]] = producer
        await producer.begin_transaction()
        return {}

    @on_loop
    async def send_offset(self, c):
        offsets = {TopicPartition(c["topic"], c["partition"]): c["offset"]}
        await self.producers[c["producer"]].send_offsets_to_transaction(offsets, c["group"])
        return {}

    @on_loop
    async def end(self, c):
        producer = self.producers[c["producer"]]
        await (producer.commit_transaction() if c["commit"] else producer.abort_transaction())
        return {}

    @on_loop
    async def consume(self, c):
        partition = TopicPartition(c["topic"], c["partition"])
        consumer = await self.consumer(isolation_level=c.get("isolation", "read_uncommitted"))
        try:
            consumer.assign([partition])
            start = c["from"]
            if start == "earliest":
                await consumer.seek_to_beginning(partition)
            elif isinstance(start, dict):
                found = await consumer.offsets_for_times({partition: start["timestamp"]})
                consumer.seek(partition, found[partition].offset)
            else:
                consumer.seek(partition, start)
            sink = Sink(c)
            await fill(consumer, partition, sink, c.get("timeout", 60))
            return sink.answer()
        finally:
            await consumer.stop()

    @on_loop
    async def tail(self, c):
        partition = TopicPartition(c["topic"], c["partition"])
        consumer = await self.consumer()
        try:
            consumer.assign([partition])
            await consumer.seek_to_end(partition)
            await consumer.position(partition)
            produced = await self.send(c)
            sink = Sink({"count": produced["count"]})
            await fill(consumer, partition, sink, 20)
            return sink.answer()
        finally:
            await consumer.stop()

    @on_loop
    async def subscribe(self, c):
        partition = TopicPartition(c["topic"], c["partition"])
        consumer = await self.consumer(c["topic"], group_id=c["group"], auto_offset_reset="earliest")
        try:
            sink = Sink(c)
            await fill(consumer, partition, sink, c.get("timeout", 60))
            await consumer.commit({partition: sink.last + 1})
            return sink.answer()
        finally:
            await consumer.stop()

    async def consumer(self, *topics, group_id=None, auto_offset_reset="none", **more):
        consumer = AIOKafkaConsumer(
            *topics,
            **self.base,
            group_id=group_id,
            auto_offset_reset=auto_offset_reset,
            enable_auto_commit=False,
            check_crcs=True,
            **more,
        )
        await consumer.start()
        return consumer


async def fill(consumer, partition, sink, timeout):
    deadline = time.monotonic() + timeout
    while not sink.full():
        if time.monotonic() > deadline:
            raise TimeoutError(f"read {sink.taken} of {sink.wanted} records")
        batch = await consumer.getmany(timeout_ms=200, max_records=5000)
        for r in batch.get(partition, []):
            sink.take(Record(r.key, r.value, list(r.headers), r.timestamp, r.offset))


def refused_in(response):
    """aiokafka's admin client returns per-topic errors instead of raising them."""
    rows = getattr(response, "topic_errors", None) or getattr(response, "topic_error_codes", None) or []
    for topic, code, *rest in rows:
        if code:
            raise RuntimeError(f"{topic}: error {code} {rest}")


if __name__ == "__main__":
    serve(AioKafka(sys.argv[1]))
