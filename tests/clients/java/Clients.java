import java.io.InputStream;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.TrustManagerFactory;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.http.Protocol;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClientBuilder;
import software.amazon.awssdk.services.kinesis.model.StreamDescriptionSummary;
import software.amazon.awssdk.services.kinesis.model.StreamStatus;

/** Clients of a server, and waiting. */
final class Clients {
    /** Nothing that works takes this long; only a hang gets here. */
    static final Duration HANG = Duration.ofSeconds(60);

    static final StaticCredentialsProvider CREDENTIALS =
            StaticCredentialsProvider.create(AwsBasicCredentials.create("AKIDEXAMPLE", "secret"));

    private Clients() {}

    /** `--name value` pairs. */
    static Map<String, String> options(String[] args) {
        Map<String, String> options = new HashMap<>();
        for (int at = 0; at + 1 < args.length; at += 2) {
            options.put(args[at], args[at + 1]);
        }
        return options;
    }

    /** HTTP/2: with prior knowledge on `http://`, under TLS with this certificate as the CA. */
    static KinesisAsyncClientBuilder kinesis(String url, String ca) throws Exception {
        NettyNioAsyncHttpClient.Builder http =
                NettyNioAsyncHttpClient.builder().protocol(Protocol.HTTP2).maxConcurrency(1000);
        if (ca != null) {
            TrustManagerFactory trust = trusting(Path.of(ca));
            http.tlsTrustManagersProvider(trust::getTrustManagers);
        }
        return KinesisAsyncClient.builder()
                .httpClientBuilder(http)
                .endpointOverride(URI.create(url))
                .region(Region.US_EAST_1)
                .credentialsProvider(CREDENTIALS);
    }

    private static TrustManagerFactory trusting(Path pem) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (InputStream file = Files.newInputStream(pem)) {
            store.setCertificateEntry(
                    "ca", CertificateFactory.getInstance("X.509").generateCertificate(file));
        }
        TrustManagerFactory trust =
                TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        return trust;
    }

    /** The answer, unless it hangs. */
    static <T> T get(CompletableFuture<T> future) throws Exception {
        return future.get(HANG.toSeconds(), TimeUnit.SECONDS);
    }

    static StreamDescriptionSummary summary(KinesisAsyncClient kinesis, String stream)
            throws Exception {
        return get(kinesis.describeStreamSummary(r -> r.streamName(stream)))
                .streamDescriptionSummary();
    }

    /** Waits until a change is over. */
    static void settled(KinesisAsyncClient kinesis, String stream) throws Exception {
        until(
                HANG,
                stream + " is ACTIVE",
                () -> summary(kinesis, stream).streamStatus() == StreamStatus.ACTIVE);
    }

    static void create(KinesisAsyncClient kinesis, String stream, int shards) throws Exception {
        get(kinesis.createStream(r -> r.streamName(stream).shardCount(shards)));
        settled(kinesis, stream);
    }

    /** A condition that may ask a server. */
    interface Condition {
        boolean holds() throws Exception;
    }

    static void until(Duration deadline, String what, Condition condition) throws Exception {
        Instant end = Instant.now().plus(deadline);
        while (!condition.holds()) {
            check(Instant.now().isBefore(end), "not within " + deadline + ": " + what);
            Thread.sleep(50);
        }
    }

    static void check(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }
}
