import java.lang.reflect.Field;
import java.util.Collection;
import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.PreparedTxnState;
import org.apache.kafka.clients.producer.internals.TransactionManager;
import org.apache.kafka.common.requests.AbstractRequest;
import org.apache.kafka.common.requests.InitProducerIdRequest;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.utils.internals.ProducerIdAndEpoch;

/**
 * A producer whose transactions another system decides about (KIP-939). Version 4.4 of the client has nearly all of it,
 * behind its public face; what it leaves out is set here: the flags of InitProducerId and its version 6, and that a
 * transaction which was kept can be ended.
 */
final class TwoPhase {
    private final KafkaProducer<byte[], byte[]> producer;
    private final TransactionManager manager;

    /** Takes up the transactional id; a transaction that is open is aborted, or kept. */
    TwoPhase(Map<String, Object> base, String transactionalId, boolean keep) throws ReflectiveOperationException {
        Map<String, Object> config = new java.util.HashMap<>(base);
        config.put("transactional.id", transactionalId);
        config.put("transaction.two.phase.commit.enable", true);
        config.put("linger.ms", 5);
        producer = new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
        manager = (TransactionManager) field(KafkaProducer.class, "transactionManager").get(producer);
        synchronized (manager) { // nothing is sent meanwhile
            manager.initializeTransactions(keep);
            Collection<?> pending = (Collection<?>) field(TransactionManager.class, "pendingRequests").get(manager);
            for (Object request : pending) {
                var builder = (InitProducerIdRequest.Builder) field(request.getClass(), "builder").get(request);
                builder.data.setEnable2Pc(true).setKeepPreparedTxn(keep);
                field(AbstractRequest.Builder.class, "latestAllowedVersion").setShort(builder, (short) 6);
            }
        }
        producer.initTransactions(); // waits for what is asked for already
        if (!prepared().isEmpty()) {
            field(TransactionManager.class, "transactionStarted").setBoolean(manager, true);
        }
    }

    KafkaProducer<byte[], byte[]> producer() {
        return producer;
    }

    /** All is written, and nothing more will be: the answer is what to note down with the decision. */
    String prepare() {
        producer.flush();
        manager.prepareTransaction();
        return prepared();
    }

    /** The transaction that waits for its end; empty if there is none. */
    String prepared() {
        ProducerIdAndEpoch prepared = manager.preparedTransactionState();
        String state = prepared.producerId + ":" + prepared.epoch;
        return prepared.isValid() ? new PreparedTxnState(state).toString() : "";
    }

    private static Field field(Class<?> type, String name) throws NoSuchFieldException {
        Field field = type.getDeclaredField(name);
        field.setAccessible(true);
        return field;
    }
}
