import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.ClientQuotaFilter;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Takes the Java client past the APIs that its driver does not touch. */
public final class Tour {
    private static final String TOPIC = "tour-java";
    private static final TopicPartition PARTITION = new TopicPartition(TOPIC, 0);

    public static void main(String[] args) throws Exception {
        Map<String, Object> base = Map.of("bootstrap.servers", args[0], "client.id", "java");
        try (Admin admin = Admin.create(base)) {
            administer(admin);
            transact(base);
            settle(() -> admin.listTransactions().all());
            settle(() -> admin.describeTransactions(List.of(TOPIC)).all());
            settle(() -> admin.describeProducers(List.of(PARTITION)).all());
            for (String protocol : List.of("classic", "consumer")) {
                joinGroup(base, admin, protocol);
            }
            share(base, admin);
            settle(() -> admin.deleteTopics(List.of(TOPIC)).all());
        }
        System.exit(0);
    }

    private static void administer(Admin admin) throws Exception {
        ConfigResource topic = new ConfigResource(ConfigResource.Type.TOPIC, TOPIC);
        settle(() -> admin.createTopics(List.of(new NewTopic(TOPIC, 1, (short) 1))).all());
        settle(() -> admin.createPartitions(Map.of(TOPIC, NewPartitions.increaseTo(2))).all());
        settle(() -> admin.describeTopics(List.of(TOPIC)).allTopicNames());
        settle(() -> admin.describeConfigs(List.of(topic)).all());
        AlterConfigOp change = new AlterConfigOp(new ConfigEntry("retention.ms", "1000000"), AlterConfigOp.OpType.SET);
        settle(() -> admin.incrementalAlterConfigs(Map.of(topic, List.of(change))).all());
        settle(() -> admin.listConfigResources().all());
        settle(() -> admin.describeCluster().nodes());
        settle(() -> admin.describeFeatures().featureMetadata());
        settle(() -> admin.describeMetadataQuorum().quorumInfo());
        settle(() -> admin.describeLogDirs(List.of(1)).allDescriptions());
        settle(() -> admin.electLeaders(ElectionType.PREFERRED, Set.of(PARTITION)).all());
        settle(() -> admin.listPartitionReassignments().reassignments());
        settle(() -> admin.alterPartitionReassignments(
            Map.of(PARTITION, Optional.of(new NewPartitionReassignment(List.of(1))))).all());
        settle(() -> admin.describeClientQuotas(ClientQuotaFilter.all()).entities());
        settle(() -> admin.describeUserScramCredentials().all());
        settle(() -> admin.listOffsets(Map.of(PARTITION, OffsetSpec.maxTimestamp())).all());
    }

    private static void transact(Map<String, Object> base) throws Exception {
        Map<String, Object> config = with(base, Map.of("transactional.id", TOPIC));
        try (var producer = new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer())) {
            producer.initTransactions();
            producer.beginTransaction();
            producer.send(new ProducerRecord<>(TOPIC, 0, new byte[] {1}, new byte[] {2})).get();
            producer.commitTransaction();
        }
    }

    private static void joinGroup(Map<String, Object> base, Admin admin, String protocol) throws Exception {
        String group = "tour-java-" + protocol;
        Map<String, Object> config = with(base, Map.of(
            "group.id", group, "group.protocol", protocol, "auto.offset.reset", "earliest", "enable.auto.commit", false));
        try (var consumer = new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(List.of(TOPIC));
            for (int i = 0; i < 50 && consumer.poll(Duration.ofMillis(100)).isEmpty(); i++) { }
            consumer.commitSync();
            consumer.committed(Set.of(PARTITION));
            settle(() -> admin.describeConsumerGroups(List.of(group)).all());
        }
        settle(() -> admin.listGroups().all());
        settle(() -> admin.listConsumerGroupOffsets(group).all());
        settle(() -> admin.deleteConsumerGroupOffsets(group, Set.of(PARTITION)).all());
        settle(() -> admin.deleteConsumerGroups(List.of(group)).all());
    }

    private static void share(Map<String, Object> base, Admin admin) throws Exception {
        String group = "tour-java-share";
        Map<String, Object> config = with(base, Map.of("group.id", group));
        try (var consumer = new KafkaShareConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(List.of(TOPIC));
            for (int i = 0; i < 20; i++) {
                consumer.poll(Duration.ofMillis(100));
            }
            settle(() -> admin.describeShareGroups(List.of(group)).all());
        }
    }

    private static Map<String, Object> with(Map<String, Object> base, Map<String, Object> more) {
        Map<String, Object> config = new java.util.HashMap<>(base);
        config.putAll(more);
        return config;
    }

    /** Waits for an answer; a refusal is an answer too. */
    private static void settle(Callable<KafkaFuture<?>> call) throws Exception {
        try {
            call.call().get(20, TimeUnit.SECONDS);
        } catch (java.util.concurrent.ExecutionException refused) {
            System.err.println("java: " + refused.getMessage());
        }
    }
}
