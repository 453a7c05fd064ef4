"""Errors by name: boto3 makes exceptions of them that programs catch."""

from proving import equal, proof, refused

SHARD = "shardId-000000000000"


@proof("what does not exist is ResourceNotFoundException, in every operation")
def not_found(t):
    text = "Stream nobody under account"
    stream = {"StreamName": "nobody"}
    calls = [
        ("describe_stream", stream),
        ("describe_stream_summary", stream),
        ("delete_stream", stream),
        ("list_shards", stream),
        ("list_tags_for_stream", stream),
        ("add_tags_to_stream", {**stream, "Tags": {"a": "b"}}),
        ("put_record", {**stream, "Data": b"", "PartitionKey": "k"}),
        ("put_records", {**stream, "Records": [{"Data": b"", "PartitionKey": "k"}]}),
        ("increase_stream_retention_period", {**stream, "RetentionPeriodHours": 48}),
        (
            "update_shard_count",
            {**stream, "TargetShardCount": 2, "ScalingType": "UNIFORM_SCALING"},
        ),
    ]
    for operation, request in calls:
        with refused("ResourceNotFoundException", text, "not found."):
            getattr(t.once, operation)(**request)
    with refused("ResourceNotFoundException", "nobody"):
        t.once.get_shard_iterator(**stream, ShardId=SHARD, ShardIteratorType="LATEST")
    try:
        t.once.describe_stream(StreamName="nobody")
    except t.once.exceptions.ResourceNotFoundException as error:
        assert "nobody" in str(error)
    else:
        raise AssertionError("the exception has a class of its own")


@proof("wrong arguments are InvalidArgumentException with the texts that AWS gives")
def invalid_arguments(t):
    with t.stream() as name:
        stream = {"StreamName": name, "ShardId": SHARD}
        with refused("InvalidArgumentException"):
            t.once.get_shard_iterator(**stream, ShardIteratorType="AT_SEQUENCE_NUMBER")
        with refused("InvalidArgumentException"):
            t.once.get_shard_iterator(
                **stream, ShardIteratorType="AT_SEQUENCE_NUMBER", StartingSequenceNumber="7"
            )
        with refused("InvalidArgumentException"):
            t.once.get_shard_iterator(**stream, ShardIteratorType="AT_TIMESTAMP")
        with refused("InvalidArgumentException", "Invalid ShardIterator."):
            t.once.get_records(ShardIterator="bm90IGFuIGl0ZXJhdG9y")
        with refused("InvalidArgumentException", "Invalid ExplicitHashKey"):
            t.once.put_record(
                StreamName=name, Data=b"", PartitionKey="k", ExplicitHashKey=str(2**128)
            )
        with refused("ResourceNotFoundException", "Shard shardId-000000000007 in stream"):
            t.once.get_shard_iterator(
                StreamName=name, ShardId="shardId-000000000007", ShardIteratorType="LATEST"
            )


@proof("what boto3 does not check itself is ValidationException from the server")
def validation(t):
    # boto3 checks lengths and required members before it sends; patterns it leaves to the server.
    with refused("ValidationException", "1 validation error detected", "streamName"):
        t.once.describe_stream(StreamName="not/a/name")
    free = t.client(
        parameter_validation=False, retries={"mode": "standard", "total_max_attempts": 1}
    )
    with refused("ValidationException", "streamName"):
        free.describe_stream(StreamName="n" * 129)
    with t.stream() as name:
        with refused("ValidationException", "records"):
            free.put_records(StreamName=name, Records=[])
        entry = {"Data": b"", "PartitionKey": "k"}
        with refused("ValidationException", "records"):
            free.put_records(StreamName=name, Records=[entry] * 501)
        with refused("ValidationException", "limit"):
            iterator = t.iterator(name, SHARD)
            free.get_records(ShardIterator=iterator, Limit=10_001)
        with refused("ValidationException", "2 validation errors detected"):
            free.get_shard_iterator(
                StreamName=name, ShardId="not a shard", ShardIteratorType="SOMEWHERE"
            )


@proof("the Channel and Queue families say that they are not offered, and boto3 does not ask twice")
def not_offered(t):
    for ask in (t.kinesis.list_channels, t.kinesis.list_queues):
        try:
            ask()
        except t.kinesis.exceptions.ClientError as error:
            meta = error.response["ResponseMetadata"]
            assert meta["HTTPStatusCode"] == 400, meta
            equal(meta["RetryAttempts"], 0)
            assert "not" in error.response["Error"]["Message"], error
        else:
            raise AssertionError("nothing is there that could answer")


@proof("every answer has the ids that AWS support would ask for")
def request_ids(t):
    meta = t.kinesis.list_streams()["ResponseMetadata"]
    headers = meta["HTTPHeaders"]
    equal(meta["RequestId"], headers["x-amzn-requestid"])
    assert len(headers["x-amz-id-2"]) >= 64, headers
    equal(headers["content-type"], "application/x-amz-json-1.1")
