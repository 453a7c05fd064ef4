import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.math.BigInteger;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.awssdk.services.kinesis.model.PutRecordsRequestEntry;
import software.amazon.awssdk.services.kinesis.model.PutRecordsResponse;
import software.amazon.awssdk.services.kinesis.model.PutRecordsResultEntry;

/**
 * Two workers of the Kinesis Client Library share the leases of a stream of eight shards while
 * records flow, a shard is split, two are merged, and one worker is killed. Every record that was
 * acknowledged is processed, by polling and by enhanced fan-out.
 *
 * <p>usage: Reshard --kinesis URL [--ca FILE] --dynamodb URL --logs DIRECTORY
 */
public final class Reshard {
    /** Nothing that works takes this long; only a hang gets here. */
    private static final Duration HANG = Duration.ofMinutes(6);

    private static final int SHARDS = 8;
    private static final String STREAM = "kcl-" + System.currentTimeMillis();
    private static final List<String> APPLICATIONS = List.of("polling", "fanout");

    private final Map<String, String> options;
    private final KinesisAsyncClient kinesis;
    private final Instant start = Instant.now();
    private final List<Process> processes = new ArrayList<>();

    /** Who has which shard, and what was processed, by application. */
    private final Map<String, Seen> seen = new HashMap<>();

    /** What was acknowledged. */
    private final Set<Integer> acknowledged = new HashSet<>();

    private volatile boolean producing = true;
    private volatile Throwable broken;

    private Reshard(Map<String, String> options) throws Exception {
        this.options = options;
        this.kinesis = Clients.kinesis(options.get("--kinesis"), options.get("--ca")).build();
        APPLICATIONS.forEach(application -> seen.put(application, new Seen()));
    }

    /** What the workers of an application have said. */
    private static final class Seen {
        /** The worker of each lease that is held. */
        final Map<String, String> holders = new TreeMap<>();

        final Set<String> ended = new TreeSet<>();
        final Map<Integer, Integer> processed = new HashMap<>();

        synchronized void line(String worker, String what, String shard, List<String> rest) {
            switch (what) {
                case "took" -> holders.put(shard, worker);
                case "lost" -> holders.remove(shard, worker);
                case "ended" -> {
                    holders.remove(shard, worker);
                    ended.add(shard);
                }
                case "records" ->
                        rest.forEach(n -> processed.merge(Integer.parseInt(n), 1, Integer::sum));
                default -> {}
            }
        }

        synchronized Set<String> heldBy(String worker) {
            Set<String> held = new TreeSet<>(holders.keySet());
            held.removeIf(shard -> !holders.get(shard).equals(worker));
            return held;
        }

        synchronized Map<Integer, Integer> processed() {
            return Map.copyOf(processed);
        }

        synchronized boolean hasEnded(List<String> shards) {
            return ended.containsAll(shards);
        }

        @Override
        public synchronized String toString() {
            return processed.size() + " records, held " + holders + ", ended " + ended;
        }
    }

    public static void main(String[] args) throws Exception {
        Reshard reshard = new Reshard(Clients.options(args));
        int code = 1;
        try {
            reshard.run();
            code = 0;
        } catch (Throwable error) {
            System.out.println("FAILED  " + error);
            error.printStackTrace(System.out);
            System.out.println(reshard.seen);
        } finally {
            reshard.processes.forEach(Process::destroyForcibly);
        }
        System.exit(code);
    }

    private void run() throws Exception {
        Clients.create(kinesis, STREAM, SHARDS);
        Thread producer = new Thread(this::produce, "producer");
        producer.start();

        // The first is the leader, and stays alive: its lock outlives it by two minutes.
        startWorker("a");
        await("worker a has all leases", s -> s.heldBy("a").size() == SHARDS);
        startWorker("b");
        await("worker b has taken leases", s -> s.heldBy("b").size() >= 2);
        proved("two workers share the leases");

        reshard();
        await("the parents are at their ends", s -> s.hasEnded(List.of(id(0), id(5), id(6))));
        await("their children have workers", s -> {
            Set<String> held = new HashSet<>(s.heldBy("a"));
            held.addAll(s.heldBy("b"));
            return held.containsAll(List.of(id(8), id(9), id(10)));
        });
        proved("a split and a merge: parents to their ends, then the children");

        Process victim = processes.get(1);
        Map<String, Set<String>> orphans = new HashMap<>();
        APPLICATIONS.forEach(a -> orphans.put(a, seen.get(a).heldBy("b")));
        Clients.check(!orphans.containsValue(Set.of()), "b has leases in both: " + orphans);
        victim.destroyForcibly().waitFor();
        awaitEach("worker a has the leases of b", a ->
                seen.get(a).heldBy("a").containsAll(orphans.get(a)));
        proved("one worker is killed, the other takes its leases " + orphans);

        producing = false;
        producer.join();
        Clients.check(broken == null, "the producer: " + broken);
        await("all records are processed", s -> s.processed().keySet().containsAll(acknowledged));
        for (String application : APPLICATIONS) {
            Map<Integer, Integer> processed = seen.get(application).processed();
            Clients.check(processed.keySet().equals(acknowledged), application + ": others, too");
            long again = processed.values().stream().filter(times -> times > 1).count();
            proved(application + ": all " + acknowledged.size() + " records, " + again + " again");
        }
    }

    /** A split of the first shard in the middle, and a merge of the sixth and the seventh. */
    private void reshard() throws Exception {
        BigInteger middle = BigInteger.ONE.shiftLeft(124);
        Clients.get(kinesis.splitShard(r -> r.streamName(STREAM)
                .shardToSplit(id(0)).newStartingHashKey(middle.toString())));
        Clients.settled(kinesis, STREAM);
        Clients.get(kinesis.mergeShards(r -> r.streamName(STREAM)
                .shardToMerge(id(5)).adjacentShardToMerge(id(6))));
        Clients.settled(kinesis, STREAM);
    }

    /** Some hundred records a second, over all shards, until told to stop. */
    private void produce() {
        try {
            for (int next = 0; producing; next += 40) {
                List<PutRecordsRequestEntry> entries = new ArrayList<>();
                for (int n = next; n < next + 40; n++) {
                    SdkBytes data = SdkBytes.fromUtf8String(Integer.toString(n));
                    entries.add(PutRecordsRequestEntry.builder()
                            .partitionKey("key-" + n).data(data).build());
                }
                PutRecordsResponse answer =
                        Clients.get(kinesis.putRecords(r -> r.streamName(STREAM).records(entries)));
                List<PutRecordsResultEntry> results = answer.records();
                for (int at = 0; at < results.size(); at++) {
                    if (results.get(at).sequenceNumber() != null) {
                        acknowledged.add(next + at);
                    }
                }
                Thread.sleep(100);
            }
        } catch (Throwable error) {
            broken = error;
        }
    }

    private void startWorker(String name) throws IOException {
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        List<String> command = new ArrayList<>(List.of(
                java, "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                "-Dlogback.configurationFile=" + System.getProperty("logback.configurationFile"),
                "-DLEVEL=INFO",
                "-cp", System.getProperty("java.class.path"), "Worker",
                "--kinesis", options.get("--kinesis"), "--dynamodb", options.get("--dynamodb"),
                "--stream", STREAM, "--worker", name));
        if (options.containsKey("--ca")) {
            command.addAll(List.of("--ca", options.get("--ca")));
        }
        File log = Path.of(options.get("--logs"), "worker-" + name + ".log").toFile();
        Process process = new ProcessBuilder(command).redirectError(log).start();
        processes.add(process);
        Thread reader = new Thread(() -> follow(name, process), "worker " + name);
        reader.setDaemon(true);
        reader.start();
    }

    private void follow(String worker, Process process) {
        InputStreamReader output = new InputStreamReader(process.getInputStream());
        try (BufferedReader lines = new BufferedReader(output)) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                List<String> words = Arrays.asList(line.split(" "));
                if (words.size() < 3 || !seen.containsKey(words.get(0))) {
                    continue;
                }
                List<String> rest = words.subList(3, words.size());
                seen.get(words.get(0)).line(worker, words.get(1), words.get(2), rest);
                if (!words.get(1).equals("records")) {
                    System.out.printf("%6.1f s  worker %s: %s%n", seconds(), worker, line);
                }
            }
        } catch (IOException error) {
            // A killed process takes its pipe with it.
        }
    }

    /** Something that workers of an application have done. */
    private interface Done {
        boolean by(Seen seen);
    }

    private void await(String what, Done done) throws Exception {
        awaitEach(what, application -> done.by(seen.get(application)));
    }

    /** Something about an application. */
    private interface Of {
        boolean holds(String application);
    }

    private void awaitEach(String what, Of condition) throws Exception {
        Clients.until(HANG, what, () -> {
            Clients.check(broken == null, "the producer: " + broken);
            Clients.check(processes.get(0).isAlive(), "worker a has ended");
            return APPLICATIONS.stream().allMatch(condition::holds);
        });
    }

    private void proved(String what) {
        System.out.printf("proved  kcl: %s (at %.1f s)%n", what, seconds());
    }

    private double seconds() {
        return Duration.between(start, Instant.now()).toMillis() / 1000.0;
    }

    private static String id(int shard) {
        return String.format("shardId-%012d", shard);
    }
}
