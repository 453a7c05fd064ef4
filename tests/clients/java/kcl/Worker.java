import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.net.URI;
import java.util.Map;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.cloudwatch.CloudWatchAsyncClient;
import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.kinesis.common.ConfigsBuilder;
import software.amazon.kinesis.common.InitialPositionInStream;
import software.amazon.kinesis.common.InitialPositionInStreamExtended;
import software.amazon.kinesis.common.KinesisClientUtil;
import software.amazon.kinesis.coordinator.CoordinatorConfig.ClientVersionConfig;
import software.amazon.kinesis.coordinator.Scheduler;
import software.amazon.kinesis.lifecycle.events.InitializationInput;
import software.amazon.kinesis.lifecycle.events.LeaseLostInput;
import software.amazon.kinesis.lifecycle.events.ProcessRecordsInput;
import software.amazon.kinesis.lifecycle.events.ShardEndedInput;
import software.amazon.kinesis.lifecycle.events.ShutdownRequestedInput;
import software.amazon.kinesis.metrics.NullMetricsFactory;
import software.amazon.kinesis.processor.ShardRecordProcessor;
import software.amazon.kinesis.processor.SingleStreamTracker;
import software.amazon.kinesis.retrieval.RetrievalSpecificConfig;
import software.amazon.kinesis.retrieval.fanout.FanOutConfig;
import software.amazon.kinesis.retrieval.polling.PollingConfig;

/**
 * A worker of the Kinesis Client Library for two applications, one that polls and one with enhanced
 * fan-out. Everything that happens to its shards is a line on standard output.
 *
 * <p>usage: Worker --kinesis URL [--ca FILE] --dynamodb URL --stream NAME --worker ID
 */
public final class Worker {
    private Worker() {}

    public static void main(String[] args) throws Exception {
        Map<String, String> options = Clients.options(args);
        Thread parent = new Thread(Worker::endWithParent, "parent");
        parent.setDaemon(true);
        parent.start();
        for (String application : new String[] {"polling", "fanout"}) {
            Scheduler scheduler = scheduler(application, options);
            Thread thread = new Thread(scheduler, application);
            thread.start();
        }
    }

    /** Standard input ends when whoever started this worker has ended. */
    private static void endWithParent() {
        try {
            while (System.in.read() >= 0) {}
        } catch (IOException error) {
            // It has ended, too.
        }
        Runtime.getRuntime().halt(1);
    }

    private static Scheduler scheduler(String application, Map<String, String> options)
            throws Exception {
        String stream = options.get("--stream");
        KinesisAsyncClient kinesis =
                KinesisClientUtil.createKinesisAsyncClient(
                        Clients.kinesis(options.get("--kinesis"), options.get("--ca")));
        DynamoDbAsyncClient dynamodb =
                DynamoDbAsyncClient.builder()
                        .endpointOverride(URI.create(options.get("--dynamodb")))
                        .httpClientBuilder(NettyNioAsyncHttpClient.builder())
                        .region(Region.US_EAST_1)
                        .credentialsProvider(Clients.CREDENTIALS)
                        .build();
        // Required, and never asked: there is a factory of no metrics below.
        CloudWatchAsyncClient cloudwatch =
                CloudWatchAsyncClient.builder()
                        .endpointOverride(URI.create(options.get("--dynamodb")))
                        .region(Region.US_EAST_1)
                        .credentialsProvider(Clients.CREDENTIALS)
                        .build();
        InitialPositionInStreamExtended start =
                InitialPositionInStreamExtended.newInitialPosition(
                        InitialPositionInStream.TRIM_HORIZON);
        ConfigsBuilder configs =
                new ConfigsBuilder(
                        new SingleStreamTracker(stream, start),
                        stream + "-" + application,
                        kinesis,
                        dynamodb,
                        cloudwatch,
                        options.get("--worker"),
                        () -> new Processor(application));
        RetrievalSpecificConfig retrieval =
                application.equals("polling")
                        ? new PollingConfig(stream, kinesis).idleTimeBetweenReadsInMillis(500)
                        : new FanOutConfig(kinesis)
                                .streamName(stream)
                                .applicationName(stream + "-" + application);
        return scheduler(configs, retrieval);
    }

    /** Everything as it is by default, but for the times, which are minutes in production. */
    private static Scheduler scheduler(ConfigsBuilder configs, RetrievalSpecificConfig retrieval) {
        var leases =
                configs.leaseManagementConfig()
                        .failoverTimeMillis(5_000)
                        .leaseAssignmentIntervalMillis(3_000L)
                        .shardSyncIntervalMillis(5_000)
                        .leasesRecoveryAuditorExecutionFrequencyMillis(5_000);
        leases.workerUtilizationAwareAssignmentConfig()
                .workerMetricsReporterFreqInMillis(1_000)
                .varianceBalancingFrequency(1);
        var coordinator = configs.coordinatorConfig().parentShardPollIntervalMillis(1_000);
        coordinator.clientVersionConfig(ClientVersionConfig.CLIENT_VERSION_CONFIG_3X);
        return new Scheduler(
                configs.checkpointConfig(),
                coordinator,
                leases,
                configs.lifecycleConfig(),
                configs.metricsConfig().metricsFactory(new NullMetricsFactory()),
                configs.processorConfig(),
                configs.retrievalConfig().retrievalSpecificConfig(retrieval));
    }

    /** What happens to one lease. */
    private static final class Processor implements ShardRecordProcessor {
        private final String application;
        private String shard;

        Processor(String application) {
            this.application = application;
        }

        /** `application what shard …`, whole lines, whoever else prints. */
        private void say(String what, String rest) {
            String line = application + " " + what + " " + shard + rest + "\n";
            synchronized (System.out) {
                System.out.print(line);
                System.out.flush();
            }
        }

        @Override
        public void initialize(InitializationInput input) {
            shard = input.shardId();
            say("took", " from " + input.extendedSequenceNumber().sequenceNumber());
        }

        @Override
        public void processRecords(ProcessRecordsInput input) {
            if (input.records().isEmpty()) {
                return;
            }
            StringBuilder numbers = new StringBuilder();
            input.records().forEach(r -> numbers.append(' ').append(UTF_8.decode(r.data())));
            // Said before the checkpoint: a kill in between repeats records and loses none.
            say("records", numbers.toString());
            checkpoint(input.checkpointer()::checkpoint);
        }

        @Override
        public void leaseLost(LeaseLostInput input) {
            say("lost", "");
        }

        @Override
        public void shardEnded(ShardEndedInput input) {
            checkpoint(input.checkpointer()::checkpoint);
            say("ended", "");
        }

        @Override
        public void shutdownRequested(ShutdownRequestedInput input) {
            checkpoint(input.checkpointer()::checkpoint);
        }

        /** A checkpoint, which fails when the lease has gone to somebody else. */
        private interface Checkpoint {
            void set() throws Exception;
        }

        private void checkpoint(Checkpoint checkpoint) {
            try {
                checkpoint.set();
            } catch (Exception error) {
                say("could-not-checkpoint", " " + error);
            }
        }
    }
}
