import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Driver for the Java client: answers the commands of tests/clients/README.md, one JSON object per line. */
public final class Driver {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Map<String, Object> base;
    private final Admin admin;
    private final Map<String, KafkaProducer<byte[], byte[]>> producers = new HashMap<>();
    private final Map<String, TwoPhase> twoPhase = new HashMap<>();
    private final Map<String, Member> members = new HashMap<>();

    private Driver(String address) {
        base = Map.of("bootstrap.servers", address, "client.id", "java");
        admin = Admin.create(base);
    }

    public static void main(String[] args) throws IOException {
        PrintStream answers = System.out;
        System.setOut(System.err);
        Driver driver = new Driver(args[0]);
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            ObjectNode answer = JSON.createObjectNode();
            try {
                answer.set("ok", driver.answer(JSON.readTree(line)));
            } catch (UnsupportedOperationException missing) {
                answer.put("na", missing.getMessage());
            } catch (Exception e) { // every failure of the client is an answer; the runner judges it
                e.printStackTrace();
                answer.put("error", e.toString());
            }
            answers.println(JSON.writeValueAsString(answer));
            answers.flush();
        }
        System.exit(0);
    }

    private ObjectNode answer(JsonNode c) throws Exception {
        return switch (c.get("op").asText()) {
            case "hello" -> hello();
            case "create_topic" -> createTopic(c);
            case "delete_topic" -> deleteTopic(c);
            case "describe_topic" -> describeTopic(c);
            case "add_partitions" -> addPartitions(c);
            case "describe_config" -> describeConfig(c);
            case "alter_config" -> alterConfig(c);
            case "delete_records" -> deleteRecords(c);
            case "offsets" -> offsets(c);
            case "offset_for_time" -> offsetForTime(c);
            case "produce" -> produce(c);
            case "begin" -> begin(c);
            case "open" -> open(c);
            case "prepare" -> prepare(c);
            case "send_offset" -> sendOffset(c);
            case "end" -> end(c);
            case "consume" -> consume(c);
            case "tail" -> tail(c);
            case "subscribe" -> subscribe(c);
            case "join_group" -> joinGroup(c);
            case "poll" -> poll(c);
            case "commit" -> commit(c);
            case "leave" -> leave(c);
            default -> throw new UnsupportedOperationException("no " + c.get("op").asText() + " in this client");
        };
    }

    private ObjectNode hello() throws IOException {
        Properties about = new Properties();
        try (var resource = Admin.class.getResourceAsStream("/kafka/kafka-version.properties")) {
            about.load(resource);
        }
        ObjectNode hello = JSON.createObjectNode().put("version", about.getProperty("version"));
        ArrayNode codecs = hello.putArray("codecs");
        List.of("none", "gzip", "snappy", "lz4", "zstd").forEach(codecs::add);
        return hello;
    }

    private ObjectNode joinGroup(JsonNode c) {
        Map<String, Object> config = new HashMap<>(base);
        config.put("group.id", c.get("group").asText());
        config.put("enable.auto.commit", "false");
        config.put("auto.offset.reset", "earliest");
        config.put("key.deserializer", ByteArrayDeserializer.class);
        config.put("value.deserializer", ByteArrayDeserializer.class);
        String protocol = c.path("protocol").asText("");
        if (protocol.equals("consumer")) { // where the broker says when a session ends
            config.put("group.protocol", "consumer");
        } else {
            int session = c.path("session_ms").asInt(10_000);
            config.put("session.timeout.ms", session);
            config.put("heartbeat.interval.ms", session / 6);
        }
        if (protocol.equals("eager")) {
            config.put("partition.assignment.strategy", RangeAssignor.class.getName());
        } else if (protocol.equals("cooperative")) {
            config.put("partition.assignment.strategy", CooperativeStickyAssignor.class.getName());
        }
        if (c.has("instance")) {
            config.put("group.instance.id", c.get("instance").asText());
        }
        Member member = new Member(new KafkaConsumer<>(config), protocol.equals("consumer"));
        member.consumer.subscribe(List.of(c.get("topic").asText()), member);
        members.put(c.get("member").asText(), member);
        return JSON.createObjectNode();
    }

    private ObjectNode poll(JsonNode c) {
        Member member = members.get(c.get("member").asText());
        ObjectNode answer = JSON.createObjectNode();
        ArrayNode taken = answer.putArray("taken");
        for (ConsumerRecord<byte[], byte[]> r : member.consumer.poll(Duration.ofSeconds(1))) {
            taken.addArray().add(r.partition()).add(r.offset());
        }
        ArrayNode assigned = answer.putArray("assigned");
        member.consumer.assignment().stream().mapToInt(TopicPartition::partition).sorted().forEach(assigned::add);
        answer.set("events", member.newEvents());
        return answer;
    }

    private ObjectNode commit(JsonNode c) {
        Member member = members.get(c.get("member").asText());
        member.consumer.commitSync();
        return JSON.createObjectNode().set("events", member.newEvents());
    }

    private ObjectNode leave(JsonNode c) {
        Member member = members.remove(c.get("member").asText());
        member.consumer.close();
        return JSON.createObjectNode().set("events", member.newEvents());
    }

    /** A consumer in a group, and what happened to its partitions since the last answer. */
    private static final class Member implements ConsumerRebalanceListener {
        final KafkaConsumer<byte[], byte[]> consumer;
        private final boolean brokerAssigns;
        private ArrayNode events = JSON.createArrayNode();

        Member(KafkaConsumer<byte[], byte[]> consumer, boolean brokerAssigns) {
            this.consumer = consumer;
            this.brokerAssigns = brokerAssigns;
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            note("assigned", partitions);
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            note("revoked", partitions);
        }

        @Override
        public void onPartitionsLost(Collection<TopicPartition> partitions) {
            note("lost", partitions);
        }

        private void note(String what, Collection<TopicPartition> partitions) {
            ArrayNode event = events.addArray().add(System.currentTimeMillis() / 1000.0).add(what);
            if (brokerAssigns) { // an epoch of its own, not one of the group
                event.addNull();
            } else {
                event.add(consumer.groupMetadata().generationId());
            }
            ArrayNode numbers = event.addArray();
            partitions.stream().mapToInt(TopicPartition::partition).sorted().forEach(numbers::add);
        }

        ArrayNode newEvents() {
            ArrayNode since = events;
            events = JSON.createArrayNode();
            return since;
        }
    }

    private ObjectNode createTopic(JsonNode c) throws Exception {
        Map<String, String> config = new HashMap<>();
        c.path("config").properties().forEach(e -> config.put(e.getKey(), e.getValue().asText()));
        NewTopic topic = new NewTopic(c.get("topic").asText(), c.get("partitions").asInt(), (short) 1).configs(config);
        admin.createTopics(List.of(topic)).all().get(20, TimeUnit.SECONDS);
        return JSON.createObjectNode();
    }

    private ObjectNode deleteTopic(JsonNode c) throws Exception {
        admin.deleteTopics(List.of(c.get("topic").asText())).all().get(20, TimeUnit.SECONDS);
        return JSON.createObjectNode();
    }

    private ObjectNode describeTopic(JsonNode c) throws Exception {
        String topic = c.get("topic").asText();
        var found = admin.describeTopics(List.of(topic)).allTopicNames().get(20, TimeUnit.SECONDS).get(topic);
        ObjectNode description = JSON.createObjectNode();
        ArrayNode partitions = description.putArray("partitions");
        for (var p : found.partitions()) {
            ObjectNode row = partitions.addObject().put("id", p.partition()).put("leader", p.leader().id());
            ArrayNode replicas = row.putArray("replicas");
            p.replicas().forEach(node -> replicas.add(node.id()));
            ArrayNode isr = row.putArray("isr");
            p.isr().forEach(node -> isr.add(node.id()));
        }
        return description;
    }

    private ObjectNode addPartitions(JsonNode c) throws Exception {
        NewPartitions wanted = NewPartitions.increaseTo(c.get("partitions").asInt());
        admin.createPartitions(Map.of(c.get("topic").asText(), wanted)).all().get(20, TimeUnit.SECONDS);
        return JSON.createObjectNode();
    }

    private ObjectNode describeConfig(JsonNode c) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, c.get("topic").asText());
        var found = admin.describeConfigs(List.of(resource)).all().get(20, TimeUnit.SECONDS).get(resource);
        return JSON.createObjectNode().put("value", found.get(c.get("name").asText()).value());
    }

    private ObjectNode alterConfig(JsonNode c) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, c.get("topic").asText());
        ConfigEntry entry = new ConfigEntry(c.get("name").asText(), c.get("value").asText());
        AlterConfigOp change = new AlterConfigOp(entry, AlterConfigOp.OpType.SET);
        admin.incrementalAlterConfigs(Map.of(resource, List.of(change))).all().get(20, TimeUnit.SECONDS);
        return JSON.createObjectNode();
    }

    private ObjectNode deleteRecords(JsonNode c) throws Exception {
        TopicPartition partition = partition(c);
        var result = admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(c.get("before").asLong())));
        long low = result.lowWatermarks().get(partition).get(20, TimeUnit.SECONDS).lowWatermark();
        return JSON.createObjectNode().put("low_watermark", low);
    }

    private ObjectNode offsets(JsonNode c) throws Exception {
        return JSON.createObjectNode()
            .put("earliest", listedOffset(partition(c), OffsetSpec.earliest()))
            .put("latest", listedOffset(partition(c), OffsetSpec.latest()));
    }

    private long listedOffset(TopicPartition partition, OffsetSpec spec) throws Exception {
        return admin.listOffsets(Map.of(partition, spec)).partitionResult(partition).get(20, TimeUnit.SECONDS).offset();
    }

    private ObjectNode offsetForTime(JsonNode c) {
        try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
            return JSON.createObjectNode().put("offset", foundOffset(consumer, partition(c), c.get("timestamp").asLong()));
        }
    }

    private ObjectNode produce(JsonNode c) throws Exception {
        String name = c.path("producer").asText("");
        KafkaProducer<byte[], byte[]> producer = producers.get(name);
        if (producer == null) {
            producer = producer(c);
            if (!name.isEmpty()) {
                producers.put(name, producer);
            }
        }
        try {
            return send(producer, c);
        } finally {
            if (name.isEmpty()) {
                producer.close(Duration.ofSeconds(5));
            }
        }
    }

    private KafkaProducer<byte[], byte[]> producer(JsonNode c) {
        Map<String, Object> config = new HashMap<>(base);
        config.put("acks", c.path("acks").asText("all"));
        config.put("compression.type", c.path("codec").asText("none"));
        config.put("enable.idempotence", c.path("idempotent").asBoolean(false));
        config.put("max.request.size", 2_000_000);
        config.put("linger.ms", 5);
        return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
    }

    private ObjectNode send(KafkaProducer<byte[], byte[]> producer, JsonNode c) throws Exception {
        String topic = c.get("topic").asText();
        int partition = c.get("partition").asInt();
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        long[] count = {0};
        forEachRecord(c, r -> {
            ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(topic, partition, r.timestamp, r.key, r.value);
            r.headers.forEach(h -> record.headers().add(h.getKey(), h.getValue().orElse(null)));
            sent.add(producer.send(record));
            count[0]++;
            if (sent.size() >= 100_000) { // a file is longer than memory should hold futures for
                settle(sent);
            }
        });
        boolean listed = count[0] <= 1000 && !c.path("acks").asText("all").equals("0");
        List<Long> offsets = settle(sent);
        ObjectNode answer = JSON.createObjectNode().put("count", count[0]).putNull("offsets");
        if (listed) {
            ArrayNode row = answer.putArray("offsets");
            offsets.forEach(row::add);
        }
        return answer;
    }

    private static List<Long> settle(List<Future<RecordMetadata>> sent) {
        List<Long> offsets = new ArrayList<>();
        try {
            for (Future<RecordMetadata> future : sent) {
                offsets.add(future.get(60, TimeUnit.SECONDS).offset());
            }
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
        sent.clear();
        return offsets;
    }

    private ObjectNode begin(JsonNode c) {
        KafkaProducer<byte[], byte[]> producer = producers.get(c.get("producer").asText());
        if (producer == null) {
            Map<String, Object> config = new HashMap<>(base);
            config.put("transactional.id", c.get("transactional_id").asText());
            config.put("transaction.timeout.ms", c.get("transaction_timeout_ms").asInt());
            config.put("linger.ms", 5);
            producer = new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
            producer.initTransactions();
            producers.put(c.get("producer").asText(), producer);
        }
        producer.beginTransaction();
        return JSON.createObjectNode();
    }

    private ObjectNode open(JsonNode c) throws ReflectiveOperationException {
        String name = c.get("producer").asText();
        TwoPhase opened = new TwoPhase(base, c.get("transactional_id").asText(), c.get("keep").asBoolean());
        producers.put(name, opened.producer());
        twoPhase.put(name, opened);
        return JSON.createObjectNode().put("prepared", opened.prepared());
    }

    private ObjectNode prepare(JsonNode c) {
        return JSON.createObjectNode().put("prepared", twoPhase.get(c.get("producer").asText()).prepare());
    }

    private ObjectNode sendOffset(JsonNode c) {
        Map<TopicPartition, OffsetAndMetadata> offset = Map.of(partition(c), new OffsetAndMetadata(c.get("offset").asLong()));
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(Map.of("group.id", c.get("group").asText()))) {
            producers.get(c.get("producer").asText()).sendOffsetsToTransaction(offset, consumer.groupMetadata());
        }
        return JSON.createObjectNode();
    }

    private ObjectNode end(JsonNode c) {
        KafkaProducer<byte[], byte[]> producer = producers.get(c.get("producer").asText());
        if (c.get("commit").asBoolean()) {
            producer.commitTransaction();
        } else {
            producer.abortTransaction();
        }
        return JSON.createObjectNode();
    }

    private ObjectNode consume(JsonNode c) throws Exception {
        TopicPartition partition = partition(c);
        Map<String, Object> isolation = Map.of("isolation.level", c.path("isolation").asText("read_uncommitted"));
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(isolation); Sink sink = new Sink(c, c.get("count").asLong())) {
            consumer.assign(List.of(partition));
            JsonNode from = c.get("from");
            if (from.isObject()) {
                consumer.seek(partition, foundOffset(consumer, partition, from.get("timestamp").asLong()));
            } else if (from.asText().equals("earliest")) {
                consumer.seekToBeginning(List.of(partition));
            } else {
                consumer.seek(partition, from.asLong());
            }
            fill(consumer, sink, c.path("timeout").asInt(60));
            return sink.answer();
        }
    }

    private ObjectNode tail(JsonNode c) throws Exception {
        TopicPartition partition = partition(c);
        try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
            consumer.assign(List.of(partition));
            consumer.seekToEnd(List.of(partition));
            consumer.position(partition);
            try (Sink sink = new Sink(JSON.createObjectNode(), produce(c).get("count").asLong())) {
                fill(consumer, sink, 20);
                return sink.answer();
            }
        }
    }

    private ObjectNode subscribe(JsonNode c) throws Exception {
        Map<String, Object> group = Map.of("group.id", c.get("group").asText(), "auto.offset.reset", "earliest");
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(group); Sink sink = new Sink(c, c.get("count").asLong())) {
            consumer.subscribe(List.of(c.get("topic").asText()));
            fill(consumer, sink, c.path("timeout").asInt(60));
            consumer.commitSync(Map.of(partition(c), new OffsetAndMetadata(sink.last + 1)));
            return sink.answer();
        }
    }

    private static void fill(KafkaConsumer<byte[], byte[]> consumer, Sink sink, int seconds) throws Exception {
        long deadline = System.nanoTime() + Duration.ofSeconds(seconds).toNanos();
        while (!sink.full()) {
            if (System.nanoTime() > deadline) {
                throw new TimeoutException("read " + sink.taken + " of " + sink.wanted + " records");
            }
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                sink.take(record);
            }
        }
    }

    private KafkaConsumer<byte[], byte[]> consumer() {
        return consumer(Map.of());
    }

    private KafkaConsumer<byte[], byte[]> consumer(Map<String, Object> more) {
        Map<String, Object> config = new HashMap<>(base);
        config.put("auto.offset.reset", "none");
        config.putAll(more);
        config.put("enable.auto.commit", false);
        config.put("max.poll.records", 5000);
        return new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private static long foundOffset(KafkaConsumer<byte[], byte[]> consumer, TopicPartition partition, long timestamp) {
        return consumer.offsetsForTimes(Map.of(partition, timestamp)).get(partition).offset();
    }

    private static TopicPartition partition(JsonNode c) {
        return new TopicPartition(c.get("topic").asText(), c.get("partition").asInt());
    }

    private record Produced(byte[] key, byte[] value, List<Map.Entry<String, Optional<byte[]>>> headers, Long timestamp) {}

    /** The records that a produce command names: listed, generated, or the lines of a file. */
    private static void forEachRecord(JsonNode c, Consumer<Produced> use) throws IOException {
        if (c.has("records")) {
            for (JsonNode r : c.get("records")) {
                List<Map.Entry<String, Optional<byte[]>>> headers = new ArrayList<>();
                for (JsonNode h : r.path("headers")) {
                    headers.add(Map.entry(h.get(0).asText(), Optional.ofNullable(unpack(h.get(1)))));
                }
                Long timestamp = r.hasNonNull("timestamp") ? r.get("timestamp").asLong() : null;
                use.accept(new Produced(unpack(r.get("key")), unpack(r.get("value")), headers, timestamp));
            }
        } else if (c.has("generate")) {
            JsonNode g = c.get("generate");
            int size = g.get("size").asInt();
            for (int i = 0; i < g.get("count").asInt(); i++) {
                byte[] unit = (g.get("seed").asText() + ":" + i + ":").getBytes(StandardCharsets.UTF_8);
                byte[] value = new byte[size];
                for (int at = 0; at < size; at += unit.length) {
                    System.arraycopy(unit, 0, value, at, Math.min(unit.length, size - at));
                }
                use.accept(new Produced(Integer.toString(i).getBytes(StandardCharsets.UTF_8), value, List.of(), null));
            }
        } else {
            try (var lines = new LineReader(c.get("file").asText())) {
                for (byte[] line = lines.next(); line != null; line = lines.next()) {
                    use.accept(new Produced(null, line, List.of(), null));
                }
            }
        }
    }

    private static byte[] unpack(JsonNode text) {
        return text == null || text.isNull() ? null : Base64.getDecoder().decode(text.asText());
    }

    private static String pack(byte[] raw) {
        return raw == null ? null : Base64.getEncoder().encodeToString(raw);
    }

    /** Lines as bytes, without their line feed; BufferedReader would take the bytes for text. */
    private static final class LineReader implements AutoCloseable {
        private final BufferedInputStream in;
        private byte[] line = new byte[1 << 16];

        LineReader(String path) throws IOException {
            in = new BufferedInputStream(new FileInputStream(path), 1 << 16);
        }

        byte[] next() throws IOException {
            int length = 0;
            int b = in.read();
            if (b < 0) {
                return null;
            }
            for (; b >= 0 && b != '\n'; b = in.read()) {
                if (length == line.length) {
                    line = java.util.Arrays.copyOf(line, length * 2);
                }
                line[length++] = (byte) b;
            }
            return java.util.Arrays.copyOf(line, length);
        }

        @Override
        public void close() throws IOException {
            in.close();
        }
    }

    /** Takes consumed records and answers in the form that the consume command asks for. */
    private static final class Sink implements AutoCloseable {
        final long wanted;
        long taken;
        long last;
        private final ArrayNode listed = JSON.createArrayNode();
        private final MessageDigest sha256;
        private final OutputStream file;

        Sink(JsonNode c, long wanted) throws Exception {
            this.wanted = wanted;
            sha256 = c.path("digest").asBoolean(false) ? MessageDigest.getInstance("SHA-256") : null;
            file = c.has("file") ? new BufferedOutputStream(new FileOutputStream(c.get("file").asText()), 1 << 20) : null;
        }

        boolean full() {
            return taken >= wanted;
        }

        void take(ConsumerRecord<byte[], byte[]> r) throws IOException {
            if (full()) {
                return;
            }
            taken++;
            last = r.offset();
            if (file != null) {
                file.write(r.value());
                file.write('\n');
            } else if (sha256 != null) {
                int keySize = r.key() == null ? -1 : r.key().length;
                int valueSize = r.value() == null ? -1 : r.value().length;
                sha256.update((r.offset() + "," + keySize + "," + valueSize + "\n").getBytes(StandardCharsets.UTF_8));
                sha256.update(r.key() == null ? new byte[0] : r.key());
                sha256.update(r.value() == null ? new byte[0] : r.value());
            } else {
                ObjectNode row = listed.addObject().put("offset", r.offset()).put("timestamp", r.timestamp());
                row.put("key", pack(r.key())).put("value", pack(r.value()));
                ArrayNode headers = row.putArray("headers");
                r.headers().forEach(h -> headers.addArray().add(h.key()).add(pack(h.value())));
            }
        }

        ObjectNode answer() throws IOException {
            ObjectNode answer = JSON.createObjectNode().put("count", taken);
            if (sha256 != null) {
                answer.put("sha256", HexFormat.of().formatHex(sha256.digest()));
            } else if (file == null) {
                answer.set("records", listed);
            }
            return answer;
        }

        @Override
        public void close() throws IOException {
            if (file != null) {
                file.close();
            }
        }
    }
}
