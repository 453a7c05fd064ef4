"""The life of a stream, lists in pages, waiters."""

from datetime import datetime, timedelta, timezone

from proving import HANG_S, equal, proof, refused, until


@proof("a stream is created, described in three ways, and deleted; both waiters see it")
def create_describe_delete(t):
    before = datetime.now(timezone.utc) - timedelta(seconds=5)
    t.kinesis.create_stream(StreamName="life", ShardCount=3, Tags={"team": "a"})
    with refused("ResourceInUseException", "Stream life under account", "already exists"):
        t.kinesis.create_stream(StreamName="life", ShardCount=3)
    t.active("life")
    described = t.kinesis.describe_stream(StreamName="life")["StreamDescription"]
    equal(described["StreamStatus"], "ACTIVE")
    equal(described["RetentionPeriodHours"], 24)
    equal(described["HasMoreShards"], False)
    equal(described["EnhancedMonitoring"], [{"ShardLevelMetrics": []}])
    equal([s["ShardId"] for s in described["Shards"]], [f"shardId-{n:012}" for n in range(3)])
    created = described["StreamCreationTimestamp"]
    assert before < created < before + timedelta(seconds=65), created
    arn = described["StreamARN"]
    assert arn.startswith("arn:aws:kinesis:us-east-1:") and arn.endswith(":stream/life"), arn
    summary = t.kinesis.describe_stream_summary(StreamARN=arn)["StreamDescriptionSummary"]
    equal(summary["OpenShardCount"], 3)
    equal(summary["ConsumerCount"], 0)
    equal(summary["StreamModeDetails"], {"StreamMode": "PROVISIONED"})
    equal(summary["StreamCreationTimestamp"], created, "one creation time in all answers")
    assert "StreamId" not in summary, "an SDK would leave this endpoint for the one in the id"
    t.kinesis.delete_stream(StreamARN=arn)
    gone = t.kinesis.get_waiter("stream_not_exists")
    gone.wait(StreamName="life", WaiterConfig={"Delay": 1, "MaxAttempts": HANG_S})
    with refused("ResourceNotFoundException", "Stream life under account", "not found."):
        t.kinesis.describe_stream(StreamName="life")


@proof("streams are listed in pages, with summaries, by the paginator and from a name on")
def list_streams_in_pages(t):
    names = [f"listed-{n:02}" for n in range(7)]
    for name in names:
        t.kinesis.create_stream(StreamName=name, ShardCount=1)
    pages = t.kinesis.get_paginator("list_streams").paginate(PaginationConfig={"PageSize": 3})
    seen, summaries = [], []
    for page in pages:
        assert len(page["StreamNames"]) <= 3, page
        seen += page["StreamNames"]
        summaries += page["StreamSummaries"]
    equal([name for name in seen if name.startswith("listed-")], names)
    equal(seen, sorted(seen), "in the order of their names")
    equal([summary["StreamName"] for summary in summaries], seen)
    page = t.kinesis.list_streams(ExclusiveStartStreamName="listed-04", Limit=1)
    equal((page["StreamNames"], page["HasMoreStreams"]), (["listed-05"], True))
    for name in names:
        t.active(name)
        t.kinesis.delete_stream(StreamName=name)


@proof("the shards of a stream come in pages, by the paginator and by ExclusiveStartShardId")
def describe_stream_in_pages(t):
    with t.stream(shards=7) as name:
        pages = t.kinesis.get_paginator("describe_stream")
        pages = list(pages.paginate(StreamName=name, PaginationConfig={"PageSize": 3}))
        sizes = [len(page["StreamDescription"]["Shards"]) for page in pages]
        equal(sizes, [3, 3, 1])
        rest = t.kinesis.describe_stream(
            StreamName=name, ExclusiveStartShardId="shardId-000000000004"
        )
        ids = [shard["ShardId"] for shard in rest["StreamDescription"]["Shards"]]
        equal(ids, ["shardId-000000000005", "shardId-000000000006"])


@proof("ListShards pages by token, which stands alone, and filters")
def list_shards_in_pages(t):
    with t.stream(shards=5) as name:
        first = t.kinesis.list_shards(StreamName=name, MaxResults=2)
        with refused("InvalidArgumentException", "NextToken and StreamName cannot be provided"):
            t.kinesis.list_shards(StreamName=name, NextToken=first["NextToken"])
        second = t.kinesis.list_shards(NextToken=first["NextToken"], MaxResults=2)
        third = t.kinesis.list_shards(NextToken=second["NextToken"], MaxResults=2)
        assert "NextToken" not in third, third
        pages = [first["Shards"], second["Shards"], third["Shards"]]
        equal([len(page) for page in pages], [2, 2, 1])
        equal(sum(pages, []), t.shards(name))
        for kind in ("AT_LATEST", "AT_TRIM_HORIZON", "FROM_TRIM_HORIZON"):
            equal(len(t.shards(name, ShardFilter={"Type": kind})), 5, kind)
        after = {"Type": "AFTER_SHARD_ID", "ShardId": "shardId-000000000002"}
        equal(len(t.shards(name, ShardFilter=after)), 2)


@proof("a name is free again after a deletion, and an iterator of the old stream is refused")
def name_is_reused(t):
    with t.stream() as name:
        stale = t.iterator(name, "shardId-000000000000")
        t.kinesis.delete_stream(StreamName=name)
        gone = t.kinesis.get_waiter("stream_not_exists")
        gone.wait(StreamName=name, WaiterConfig={"Delay": 1, "MaxAttempts": HANG_S})
        t.kinesis.create_stream(StreamName=name, ShardCount=1)
        t.active(name)
        with refused("ResourceNotFoundException"):
            t.once.get_records(ShardIterator=stale)


@proof("an on-demand stream starts with four shards and becomes a provisioned one")
def on_demand(t):
    with t.stream(StreamModeDetails={"StreamMode": "ON_DEMAND"}) as name:
        equal(t.summary(name)["OpenShardCount"], 4)
        with refused("ValidationException", "On-Demand"):
            t.kinesis.update_shard_count(
                StreamName=name, TargetShardCount=2, ScalingType="UNIFORM_SCALING"
            )
        t.kinesis.update_stream_mode(
            StreamARN=t.arn(name), StreamModeDetails={"StreamMode": "PROVISIONED"}
        )
        mode = {"StreamMode": "PROVISIONED"}
        until(lambda: t.summary(name)["StreamModeDetails"] == mode, "the mode has changed")
        t.settled(name)
        equal(t.summary(name)["OpenShardCount"], 4, "the shards stay")
