"""Takes aiokafka past the APIs that its driver does not touch: its consumer group and its configs."""

import asyncio
import sys

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

base = {"bootstrap_servers": sys.argv[1], "client_id": "aiokafka"}
topic = "tour-aiokafka"


async def main():
    admin = AIOKafkaAdminClient(**base)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.create_partitions({topic: NewPartitions(2)})
    await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "1000000"})])
    consumer = AIOKafkaConsumer(topic, **base, group_id="tour-aiokafka", enable_auto_commit=False)
    await consumer.start()
    await consumer.getmany(timeout_ms=1000)
    await consumer.commit()
    await admin.list_consumer_groups()
    await admin.describe_consumer_groups(["tour-aiokafka"])
    await admin.list_consumer_group_offsets("tour-aiokafka")
    await consumer.stop()
    await admin.delete_topics([topic])
    await admin.close()


asyncio.run(main())
