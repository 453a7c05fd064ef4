"""Properties of a stream in use, and of the account."""

from proving import equal, proof, refused, until

METRICS = {
    "IncomingBytes",
    "IncomingRecords",
    "OutgoingBytes",
    "OutgoingRecords",
    "WriteProvisionedThroughputExceeded",
    "ReadProvisionedThroughputExceeded",
    "IteratorAgeMilliseconds",
}


@proof("the retention grows and shrinks, each by its own operation, within its bounds")
def retention(t):
    with t.stream() as name:
        t.kinesis.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=48)
        t.settled(name)
        equal(t.summary(name)["RetentionPeriodHours"], 48)
        with refused("InvalidArgumentException", "can not be shorter than"):
            t.once.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=36)
        with refused("InvalidArgumentException", "Minimum allowed retention period is 24 hours"):
            t.once.decrease_stream_retention_period(StreamName=name, RetentionPeriodHours=23)
        with refused("InvalidArgumentException", "too long"):
            t.once.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=8761)
        t.kinesis.decrease_stream_retention_period(
            StreamARN=t.arn(name), RetentionPeriodHours=24
        )
        t.settled(name)
        equal(t.summary(name)["RetentionPeriodHours"], 24)


@proof("enhanced monitoring is switched by metric and as a whole, and echoes before and after")
def monitoring(t):
    with t.stream() as name:
        answer = t.kinesis.enable_enhanced_monitoring(
            StreamName=name, ShardLevelMetrics=["IncomingBytes", "OutgoingBytes"]
        )
        equal(answer["CurrentShardLevelMetrics"], [])
        equal(set(answer["DesiredShardLevelMetrics"]), {"IncomingBytes", "OutgoingBytes"})
        equal((answer["StreamName"], answer["StreamARN"]), (name, t.arn(name)))
        t.settled(name)
        equal(metrics(t, name), {"IncomingBytes", "OutgoingBytes"})
        t.kinesis.enable_enhanced_monitoring(StreamName=name, ShardLevelMetrics=["ALL"])
        t.settled(name)
        equal(metrics(t, name), METRICS)
        answer = t.kinesis.disable_enhanced_monitoring(
            StreamName=name, ShardLevelMetrics=["OutgoingBytes"]
        )
        equal(set(answer["CurrentShardLevelMetrics"]), METRICS)
        equal(set(answer["DesiredShardLevelMetrics"]), METRICS - {"OutgoingBytes"})
        t.settled(name)
        t.kinesis.disable_enhanced_monitoring(StreamName=name, ShardLevelMetrics=["ALL"])
        t.settled(name)
        equal(metrics(t, name), set())


@proof("encryption is started and stopped, and everything that shows it shows it")
def encryption(t):
    with t.stream() as name:
        key = "alias/aws/kinesis"
        t.kinesis.start_stream_encryption(StreamName=name, EncryptionType="KMS", KeyId=key)
        t.settled(name)
        summary = t.summary(name)
        equal((summary["EncryptionType"], summary["KeyId"]), ("KMS", key))
        put = t.kinesis.put_record(StreamName=name, Data=b"1", PartitionKey="k")
        equal(put["EncryptionType"], "KMS")
        records, _ = t.read(name, put["ShardId"], 1)
        equal((records[0]["Data"], records[0]["EncryptionType"]), (b"1", "KMS"))
        t.kinesis.stop_stream_encryption(
            StreamARN=t.arn(name), EncryptionType="KMS", KeyId=key
        )
        t.settled(name)
        equal(t.summary(name).get("EncryptionType", "NONE"), "NONE")


@proof("the account's limits count what exists")
def limits(t):
    def counts():
        answer = t.kinesis.describe_limits()
        assert answer["ShardLimit"] > 0 and answer["OnDemandStreamCountLimit"] > 0, answer
        return answer["OpenShardCount"], answer["OnDemandStreamCount"]

    shards, on_demand = counts()
    with t.stream(shards=3), t.stream(StreamModeDetails={"StreamMode": "ON_DEMAND"}):
        equal(counts(), (shards + 3 + 4, on_demand + 1))


@proof("the billing commitment unlocks warm throughput, and cannot be ended at once")
def warm_throughput(t):
    def commitment():
        answer = t.kinesis.describe_account_settings()
        return answer["MinimumThroughputBillingCommitment"]

    with t.stream(StreamModeDetails={"StreamMode": "ON_DEMAND"}) as name:
        if commitment()["Status"] == "DISABLED":
            with refused("ValidationException", "commitment"):
                t.once.update_stream_warm_throughput(StreamName=name, WarmThroughputMiBps=8)
            enabled = {"Status": "ENABLED"}
            t.kinesis.update_account_settings(MinimumThroughputBillingCommitment=enabled)
        now = commitment()
        equal(now["Status"], "ENABLED")
        assert now["EarliestAllowedEndAt"] > now["StartedAt"], now
        answer = t.kinesis.update_stream_warm_throughput(StreamName=name, WarmThroughputMiBps=8)
        equal((answer["StreamName"], answer["StreamARN"]), (name, t.arn(name)))
        equal(answer["WarmThroughput"]["TargetMiBps"], 8)
        until(
            lambda: t.summary(name)["WarmThroughput"]["CurrentMiBps"] == 8,
            "the throughput is there",
        )
        t.settled(name)
        t.kinesis.update_stream_warm_throughput(StreamName=name, WarmThroughputMiBps=0)
        t.settled(name)


def metrics(t, name):
    """The shard-level metrics that are on."""
    return set(t.summary(name)["EnhancedMonitoring"][0]["ShardLevelMetrics"])
