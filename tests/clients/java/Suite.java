import static java.nio.charset.StandardCharsets.UTF_8;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicReference;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.core.interceptor.Context;
import software.amazon.awssdk.core.interceptor.ExecutionAttributes;
import software.amazon.awssdk.core.interceptor.ExecutionInterceptor;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.awssdk.services.kinesis.model.ChildShard;
import software.amazon.awssdk.services.kinesis.model.ConsumerStatus;
import software.amazon.awssdk.services.kinesis.model.GetRecordsResponse;
import software.amazon.awssdk.services.kinesis.model.KinesisException;
import software.amazon.awssdk.services.kinesis.model.InvalidArgumentException;
import software.amazon.awssdk.services.kinesis.model.PutRecordsRequestEntry;
import software.amazon.awssdk.services.kinesis.model.PutRecordsResponse;
import software.amazon.awssdk.services.kinesis.model.Record;
import software.amazon.awssdk.services.kinesis.model.ResourceNotFoundException;
import software.amazon.awssdk.services.kinesis.model.ShardIteratorType;
import software.amazon.awssdk.services.kinesis.model.StreamDescriptionSummary;
import software.amazon.awssdk.services.kinesis.model.SubscribeToShardEvent;
import software.amazon.awssdk.services.kinesis.model.SubscribeToShardRequest;
import software.amazon.awssdk.services.kinesis.model.SubscribeToShardResponseHandler;

/**
 * The asynchronous client of the AWS SDK for Java v2 against a server: CBOR over HTTP/2, with prior
 * knowledge on a plain port, under TLS as the SDK's version does it.
 *
 * <p>usage: Suite --label TEXT --http URL [--https URL --ca FILE]
 */
public final class Suite {
    private static final String SHARD = "shardId-000000000000";

    private final String transport;
    private final KinesisAsyncClient kinesis;
    private final Set<String> formats = ConcurrentHashMap.newKeySet();
    private int failed;

    private Suite(String transport, String url, String ca) throws Exception {
        this.transport = transport;
        ExecutionInterceptor note =
                new ExecutionInterceptor() {
                    @Override
                    public void beforeTransmission(
                            Context.BeforeTransmission context, ExecutionAttributes attributes) {
                        String type = header(context, "Content-Type");
                        boolean subscribe =
                                header(context, "X-Amz-Target").endsWith("SubscribeToShard");
                        formats.add(subscribe ? "subscribe " + type : type);
                    }
                };
        this.kinesis =
                Clients.kinesis(url, ca)
                        .overrideConfiguration(o -> o.addExecutionInterceptor(note))
                        .build();
    }

    private static String header(Context.BeforeTransmission context, String name) {
        return context.httpRequest().firstMatchingHeader(name).orElse("");
    }

    public static void main(String[] args) throws Exception {
        Map<String, String> options = Clients.options(args);
        String label = options.get("--label") + "-";
        Instant start = Instant.now();
        int failed = 0;
        if (options.containsKey("--http")) {
            failed += new Suite(label + "h2c", options.get("--http"), null).all();
        }
        if (options.containsKey("--https")) {
            failed += new Suite(label + "tls", options.get("--https"), options.get("--ca")).all();
        }
        System.out.println("java: " + Duration.between(start, Instant.now()).toMillis() + " ms");
        System.exit(failed == 0 ? 0 : 1);
    }

    private int all() {
        prove("create, describe, list, tag, delete", this::life);
        prove("records come back as they were put, and by their time", this::thereAndBack);
        prove("a hundred requests at a time over few connections", this::concurrent);
        prove("errors are exceptions of their own classes, with both request ids", this::errors);
        prove("a subscription pushes beside other calls, and ends with the shard", this::push);
        prove("all of it was CBOR, but for the subscription, which the SDK sends as JSON", () -> {
            Set<String> wanted =
                    Set.of("application/x-amz-cbor-1.1", "subscribe application/x-amz-json-1.1");
            Clients.check(formats.equals(wanted), "formats: " + formats);
        });
        kinesis.close();
        return failed;
    }

    /** One of the proofs. */
    private interface Proof {
        void run() throws Exception;
    }

    private void prove(String what, Proof proof) {
        Instant start = Instant.now();
        try {
            proof.run();
            long took = Duration.between(start, Instant.now()).toMillis();
            System.out.printf("proved  %s: %s (%d ms)%n", transport, what, took);
        } catch (Throwable error) {
            failed += 1;
            System.out.printf("FAILED  %s: %s: %s%n", transport, what, error);
            error.printStackTrace(System.out);
        }
    }

    private void life() throws Exception {
        String name = "java-life-" + transport;
        Instant before = Instant.now().minusSeconds(60);
        Clients.create(kinesis, name, 3);
        StreamDescriptionSummary summary = Clients.summary(kinesis, name);
        Clients.check(summary.openShardCount() == 3, "shards: " + summary);
        // A wrong unit of CBOR's timestamps would be off by decades.
        Instant created = summary.streamCreationTimestamp();
        Clients.check(
                created.isAfter(before) && created.isBefore(before.plusSeconds(120)),
                "created at " + created);
        List<String> names = Clients.get(kinesis.listStreams()).streamNames();
        Clients.check(names.contains(name), "listed: " + names);
        int shards = Clients.get(kinesis.listShards(r -> r.streamName(name))).shards().size();
        Clients.check(shards == 3, "ListShards: " + shards);
        Instant now = Instant.now();
        int filtered = Clients.get(kinesis.listShards(r -> r.streamName(name)
                .shardFilter(f -> f.type("AT_TIMESTAMP").timestamp(now)))).shards().size();
        Clients.check(filtered == 3, "ListShards at " + now + ": " + filtered);
        Clients.get(kinesis.addTagsToStream(r -> r.streamName(name).tags(Map.of("größe", "π"))));
        String tags =
                Clients.get(kinesis.listTagsForStream(r -> r.streamName(name))).tags().toString();
        Clients.check(tags.contains("größe") && tags.contains("π"), tags);
        Clients.get(kinesis.deleteStream(r -> r.streamName(name)));
        Clients.until(Clients.HANG, "it is gone", () -> {
            try {
                Clients.summary(kinesis, name);
                return false;
            } catch (ExecutionException error) {
                return error.getCause() instanceof ResourceNotFoundException;
            }
        });
    }

    private void thereAndBack() throws Exception {
        String name = "java-records-" + transport;
        Clients.create(kinesis, name, 1);
        byte[] large = new byte[300_000];
        for (int n = 0; n < large.length; n++) {
            large[n] = (byte) (n % 251);
        }
        String first = Clients.get(kinesis.putRecord(r -> r.streamName(name)
                .partitionKey("🦀").data(SdkBytes.fromByteArray(large)))).sequenceNumber();
        putNumbers(name, 0, 50);
        // A time that lies between the two halves: what AT_TIMESTAMP is for.
        Thread.sleep(50);
        putNumbers(name, 50, 100);
        List<Record> records = read(name, 101, ShardIteratorType.TRIM_HORIZON, null);
        Clients.check(records.get(0).sequenceNumber().equals(first), "the first number");
        Clients.check(Arrays.equals(records.get(0).data().asByteArray(), large), "the bytes");
        Clients.check(records.get(0).partitionKey().equals("🦀"), "the key");
        for (int n = 0; n < 100; n++) {
            Clients.check(number(records.get(n + 1)) == n, "order at " + n);
        }
        Instant between = records.get(51).approximateArrivalTimestamp().minusMillis(1);
        List<Record> later = read(name, 50, ShardIteratorType.AT_TIMESTAMP, between);
        Clients.check(number(later.get(0)) == 50, "AT_TIMESTAMP began at " + number(later.get(0)));
        Clients.get(kinesis.deleteStream(r -> r.streamName(name)));
    }

    private void concurrent() throws Exception {
        String name = "java-many-" + transport;
        Clients.create(kinesis, name, 2);
        List<CompletableFuture<String>> puts = new ArrayList<>();
        for (int n = 0; n < 100; n++) {
            SdkBytes data = SdkBytes.fromUtf8String(Integer.toString(n));
            String key = Integer.toString(n);
            puts.add(kinesis.putRecord(r -> r.streamName(name).partitionKey(key).data(data))
                    .thenApply(answer -> answer.sequenceNumber()));
        }
        Set<String> numbers = new HashSet<>();
        for (CompletableFuture<String> put : puts) {
            numbers.add(Clients.get(put));
        }
        Clients.check(numbers.size() == 100, "numbers: " + numbers.size());
        Clients.get(kinesis.deleteStream(r -> r.streamName(name)));
    }

    private void errors() throws Exception {
        KinesisException missing =
                refused(kinesis.describeStreamSummary(r -> r.streamName("java-nobody")));
        Clients.check(missing instanceof ResourceNotFoundException, "" + missing);
        Clients.check(
                missing.getMessage().contains("Stream java-nobody under account"), "" + missing);
        Clients.check(missing.statusCode() == 400, "status " + missing.statusCode());
        Clients.check(missing.requestId() != null, "a request id");
        Clients.check(missing.extendedRequestId() != null, "an extended request id");
        KinesisException iterator = refused(kinesis.getRecords(r -> r.shardIterator("nothing")));
        Clients.check(iterator instanceof InvalidArgumentException, "" + iterator);
        // This SDK checks no lengths before it sends.
        KinesisException length =
                refused(kinesis.describeStreamSummary(r -> r.streamName("n".repeat(129))));
        Clients.check(
                length.awsErrorDetails().errorCode().equals("ValidationException"), "" + length);
    }

    private void push() throws Exception {
        String name = "java-push-" + transport;
        Clients.create(kinesis, name, 1);
        putNumbers(name, 0, 20);
        String stream = Clients.summary(kinesis, name).streamARN();
        String consumer = Clients.get(kinesis.registerStreamConsumer(
                r -> r.streamARN(stream).consumerName("java"))).consumer().consumerARN();
        Clients.until(Clients.HANG, "the consumer is ACTIVE", () ->
                Clients.get(kinesis.describeStreamConsumer(r -> r.consumerARN(consumer)))
                        .consumerDescription().consumerStatus() == ConsumerStatus.ACTIVE);
        List<Integer> got = new ArrayList<>();
        AtomicReference<List<ChildShard>> children = new AtomicReference<>();
        AtomicReference<Throwable> wrong = new AtomicReference<>();
        SubscribeToShardResponseHandler handler =
                SubscribeToShardResponseHandler.builder()
                        .subscriber(e -> take((SubscribeToShardEvent) e, got, children, wrong))
                        .build();
        SubscribeToShardRequest request = SubscribeToShardRequest.builder()
                .consumerARN(consumer).shardId(SHARD)
                .startingPosition(p -> p.type(ShardIteratorType.TRIM_HORIZON)).build();
        CompletableFuture<Void> over = kinesis.subscribeToShard(request, handler);
        awaitCount(got, 20, over);
        putNumbers(name, 20, 40);
        awaitCount(got, 40, over);
        Clients.get(kinesis.splitShard(
                r -> r.streamName(name).shardToSplit(SHARD).newStartingHashKey("7")));
        Clients.get(over);
        Clients.check(wrong.get() == null, "" + wrong.get());
        Clients.check(children.get() != null, "the end of the shard names its children");
        for (ChildShard child : children.get()) {
            Clients.check(child.parentShards().equals(List.of(SHARD)), "" + child);
        }
        for (int n = 0; n < 40; n++) {
            Clients.check(got.get(n) == n, "order at " + n + ": " + got);
        }
        Clients.settled(kinesis, name);
        Clients.get(kinesis.deleteStream(r -> r.streamName(name).enforceConsumerDeletion(true)));
    }

    private static void take(
            SubscribeToShardEvent event,
            List<Integer> got,
            AtomicReference<List<ChildShard>> children,
            AtomicReference<Throwable> wrong) {
        try {
            Clients.check(children.get() == null, "nothing comes behind the end: " + event);
            boolean last = event.hasChildShards() && !event.childShards().isEmpty();
            boolean over = event.continuationSequenceNumber() == null;
            Clients.check(last == over, "children at the end, and only there: " + event);
            synchronized (got) {
                event.records().forEach(record -> got.add(number(record)));
            }
            if (last) {
                children.set(event.childShards());
            }
        } catch (Throwable error) {
            wrong.compareAndSet(null, error);
        }
    }

    private static void awaitCount(List<Integer> got, int count, CompletableFuture<Void> over)
            throws Exception {
        Clients.until(Clients.HANG, count + " records are pushed", () -> {
            synchronized (got) {
                Clients.check(!over.isDone() || got.size() >= count, "it has ended at " + got);
                return got.size() >= count;
            }
        });
    }

    private void putNumbers(String stream, int start, int end) throws Exception {
        List<PutRecordsRequestEntry> entries = new ArrayList<>();
        for (int n = start; n < end; n++) {
            SdkBytes data = SdkBytes.fromUtf8String(Integer.toString(n));
            entries.add(PutRecordsRequestEntry.builder().partitionKey("k").data(data).build());
        }
        PutRecordsResponse answer =
                Clients.get(kinesis.putRecords(r -> r.streamName(stream).records(entries)));
        Clients.check(answer.failedRecordCount() == 0, "" + answer);
    }

    private List<Record> read(String stream, int count, ShardIteratorType type, Instant time)
            throws Exception {
        AtomicReference<String> iterator = new AtomicReference<>(
                Clients.get(kinesis.getShardIterator(r -> r.streamName(stream).shardId(SHARD)
                        .shardIteratorType(type).timestamp(time))).shardIterator());
        List<Record> records = new ArrayList<>();
        Clients.until(Clients.HANG, count + " records are read", () -> {
            GetRecordsResponse answer =
                    Clients.get(kinesis.getRecords(r -> r.shardIterator(iterator.get()).limit(60)));
            records.addAll(answer.records());
            iterator.set(answer.nextShardIterator());
            return records.size() >= count;
        });
        return records;
    }

    private static int number(Record record) {
        return Integer.parseInt(record.data().asString(UTF_8));
    }

    private static KinesisException refused(CompletableFuture<?> future) throws Exception {
        try {
            throw new AssertionError("to be refused, but answered " + Clients.get(future));
        } catch (ExecutionException error) {
            return (KinesisException) error.getCause();
        }
    }
}
