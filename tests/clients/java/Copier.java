import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Timer;
import java.util.TimerTask;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.OutOfOrderSequenceException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * One worker of exactly_once.py, with the Java client, which goes by version 2 of transactions: what copier.py is for
 * librdkafka, with the same arguments and the same way to end.
 */
public final class Copier {
    private static final String GROUP = "copiers";
    private static final String SOURCE = "source";
    private static final String TARGET = "target";
    private static final double ABORTED_ON_PURPOSE = 0.1;
    private static final int PATIENCE_MS = 10_000;
    private static final int HANGING_MS = 60_000;

    private final Random dice;
    private final KafkaConsumer<byte[], byte[]> consumer;
    private final KafkaProducer<byte[], byte[]> producer;
    private volatile long movedAt = System.nanoTime();

    private Copier(String address, String name, int most, long seed) {
        dice = new Random(seed);
        consumer = new KafkaConsumer<>(
            Map.ofEntries(
                Map.entry("bootstrap.servers", address),
                Map.entry("client.id", name),
                Map.entry("group.id", GROUP),
                Map.entry("isolation.level", "read_committed"),
                Map.entry("enable.auto.commit", false),
                Map.entry("auto.offset.reset", "earliest"),
                Map.entry("session.timeout.ms", 3000),
                Map.entry("heartbeat.interval.ms", 500),
                Map.entry("max.poll.records", most),
                Map.entry("partition.assignment.strategy", RangeAssignor.class.getName())),
            new ByteArrayDeserializer(),
            new ByteArrayDeserializer());
        producer = new KafkaProducer<>(
            Map.of(
                "bootstrap.servers", address,
                "client.id", name,
                "transactional.id", name,
                "transaction.timeout.ms", 10_000,
                "delivery.timeout.ms", 8_000,
                "request.timeout.ms", 5_000,
                "max.block.ms", PATIENCE_MS,
                "linger.ms", 2),
            new ByteArraySerializer(),
            new ByteArraySerializer());
    }

    public static void main(String[] args) {
        Copier copier = new Copier(args[0], args[1], Integer.parseInt(args[2]), args[3].hashCode());
        copier.endIfItHangs();
        try {
            copier.run();
        } catch (KafkaException useless) { // the next one takes over
            System.err.println(args[1] + ": " + useless);
        }
        Runtime.getRuntime().halt(1);
    }

    private void run() {
        repeat(producer::initTransactions);
        consumer.subscribe(List.of(SOURCE));
        while (true) {
            movedAt = System.nanoTime();
            List<ConsumerRecord<byte[], byte[]>> read = new ArrayList<>();
            consumer.poll(Duration.ofMillis(200)).forEach(read::add);
            if (!read.isEmpty()) {
                copy(read);
            }
        }
    }

    private void copy(List<ConsumerRecord<byte[], byte[]>> read) {
        producer.beginTransaction();
        try {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>();
            for (ConsumerRecord<byte[], byte[]> one : read) {
                sent.add(producer.send(new ProducerRecord<>(TARGET, one.partition(), one.key(), one.value())));
                next.put(new TopicPartition(SOURCE, one.partition()), new OffsetAndMetadata(one.offset() + 1));
            }
            if (dice.nextDouble() < ABORTED_ON_PURPOSE) {
                for (Future<RecordMetadata> one : sent) {
                    one.get();
                }
                takeBack(read);
                return;
            }
            producer.sendOffsetsToTransaction(next, consumer.groupMetadata());
            repeat(producer::commitTransaction);
        } catch (ProducerFencedException | InvalidProducerEpochException | OutOfOrderSequenceException
                | AuthorizationException useless) {
            throw useless;
        } catch (CommitFailedException | ExecutionException | InterruptedException failed) {
            takeBack(read);
        } catch (KafkaException failed) { // of no use any more if it cannot even abort
            takeBack(read);
        }
    }

    private void takeBack(List<ConsumerRecord<byte[], byte[]>> read) {
        repeat(producer::abortTransaction);
        Map<TopicPartition, Long> first = new HashMap<>();
        read.forEach(one -> first.putIfAbsent(new TopicPartition(SOURCE, one.partition()), one.offset()));
        first.forEach((partition, offset) -> {
            try {
                consumer.seek(partition, offset);
            } catch (IllegalStateException givenAway) { // whoever has it begins at what was committed
                System.err.println(partition + " was given away");
            }
        });
    }

    /** Does what may be done again until it is done. */
    private static void repeat(Runnable act) {
        while (true) {
            try {
                act.run();
                return;
            } catch (TimeoutException again) {
                System.err.println("again: " + again.getMessage());
            }
        }
    }

    private void endIfItHangs() {
        new Timer(true).schedule(
            new TimerTask() {
                @Override
                public void run() {
                    if (System.nanoTime() - movedAt > HANGING_MS * 1_000_000L) {
                        System.err.println("nothing moves");
                        Runtime.getRuntime().halt(2);
                    }
                }
            },
            1000,
            1000);
    }
}
