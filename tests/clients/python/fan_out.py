"""Enhanced fan-out: consumers, and SubscribeToShard over HTTP/1.1."""

import contextlib
import time

from proving import equal, proof, refused, until

FIRST = "shardId-000000000000"


@proof("consumers are registered, described, listed in pages and deregistered")
def consumers(t):
    with t.stream() as name:
        arn = t.arn(name)
        names = [f"consumer-{n}" for n in range(5)]
        for consumer in names:
            answer = t.kinesis.register_stream_consumer(StreamARN=arn, ConsumerName=consumer)
            consumer_arn = answer["Consumer"]["ConsumerARN"]
            assert consumer_arn.startswith(f"{arn}/consumer/{consumer}:"), consumer_arn
        with refused("ResourceInUseException"):
            t.kinesis.register_stream_consumer(StreamARN=arn, ConsumerName=names[0])
        pages = t.kinesis.get_paginator("list_stream_consumers")
        pages = pages.paginate(StreamARN=arn, PaginationConfig={"PageSize": 2})
        listed = [page["Consumers"] for page in pages]
        equal([len(page) for page in listed], [2, 2, 1])
        equal({c["ConsumerName"] for page in listed for c in page}, set(names))
        equal(t.summary(name)["ConsumerCount"], 5)
        by_name = active(t, StreamARN=arn, ConsumerName=names[4])
        equal(by_name, active(t, ConsumerARN=by_name["ConsumerARN"]))
        equal(by_name["StreamARN"], arn)
        with refused("ResourceInUseException", "EnforceConsumerDeletion"):
            t.kinesis.delete_stream(StreamName=name)
        t.kinesis.deregister_stream_consumer(StreamARN=arn, ConsumerName=names[0])
        t.kinesis.deregister_stream_consumer(ConsumerARN=by_name["ConsumerARN"])
        until(lambda: t.summary(name)["ConsumerCount"] == 3, "two consumers are gone")
        with refused("ResourceNotFoundException"):
            t.kinesis.describe_stream_consumer(StreamARN=arn, ConsumerName=names[0])


@proof("a subscription pushes what is stored and what comes, with positions to go on from")
def subscription(t):
    with t.stream() as name:
        consumer = register(t, name, "pushed")
        put(t, name, 0, 5)
        with subscribed(t, consumer, Type="TRIM_HORIZON") as events:
            got, continuation = take(events, 5)
            put(t, name, 5, 10)
            more, continuation = take(events, 5)
        equal(got + more, [b"%d" % n for n in range(10)])
        other = register(t, name, "again")
        start = {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": continuation}
        put(t, name, 10, 12)
        with subscribed(t, other, **start) as events:
            equal(take(events, 2)[0], [b"10", b"11"])


@proof("an event comes at least every five seconds or so, also when nothing happens")
def heartbeat(t):
    with t.stream() as name:
        consumer = register(t, name, "idle")
        with subscribed(t, consumer, Type="LATEST") as events:
            start = time.monotonic()
            event = next(events)["SubscribeToShardEvent"]
            took = time.monotonic() - start
            equal(event["Records"], [])
            equal(event["MillisBehindLatest"], 0)
            assert event["ContinuationSequenceNumber"], "a position, without records too"
            assert took < 7, f"the first event took {took:.1f} s"


@proof("the end of a shard: no continuation, its children, and the stream of events is over")
def shard_end(t):
    with t.stream() as name:
        consumer = register(t, name, "to-the-end")
        put(t, name, 0, 3)
        with subscribed(t, consumer, Type="TRIM_HORIZON") as events:
            equal(take(events, 3)[0], [b"0", b"1", b"2"])
            t.kinesis.split_shard(
                StreamName=name, ShardToSplit=FIRST, NewStartingHashKey=str(2**127)
            )
            last = None
            for event in events:
                assert last is None, f"{event} came behind the end of the shard"
                event = event["SubscribeToShardEvent"]
                if event.get("ChildShards"):
                    assert not event.get("ContinuationSequenceNumber"), event
                    last = event
                else:
                    assert event["ContinuationSequenceNumber"], event
        children = [(c["ShardId"], c["ParentShards"]) for c in last["ChildShards"]]
        equal(children, [("shardId-000000000001", [FIRST]), ("shardId-000000000002", [FIRST])])
        assert "HashKeyRange" in last["ChildShards"][0]


@proof("a second subscription within five seconds is refused; DryRun and errors come before it")
def refused_subscriptions(t):
    with t.stream() as name:
        consumer = register(t, name, "guarded")
        ask = {"ConsumerARN": consumer, "ShardId": FIRST, "StartingPosition": {"Type": "LATEST"}}
        with refused("DryRunOperationException"):
            t.once.subscribe_to_shard(**ask, DryRun=True)
        with subscribed(t, consumer, Type="LATEST"):
            with refused("ResourceInUseException"):
                t.once.subscribe_to_shard(**ask)
        with refused("ResourceNotFoundException"):
            t.once.subscribe_to_shard(**{**ask, "ShardId": "shardId-000000000009"})
        stranger = consumer.replace("guarded", "stranger")
        with refused("ResourceNotFoundException"):
            t.once.subscribe_to_shard(**{**ask, "ConsumerARN": stranger})


def register(t, name, consumer):
    """A new consumer's ARN, once it is ACTIVE."""
    stream = t.arn(name)
    t.kinesis.register_stream_consumer(StreamARN=stream, ConsumerName=consumer)
    until(
        lambda: active(t, StreamARN=stream, ConsumerName=consumer)["ConsumerStatus"] == "ACTIVE",
        f"{consumer} is ACTIVE",
    )
    return active(t, StreamARN=stream, ConsumerName=consumer)["ConsumerARN"]


def active(t, **which):
    """DescribeStreamConsumer."""
    return t.kinesis.describe_stream_consumer(**which)["ConsumerDescription"]


@contextlib.contextmanager
def subscribed(t, consumer, **position):
    """The events of a subscription to the first shard, which is closed afterwards."""
    answer = t.once.subscribe_to_shard(
        ConsumerARN=consumer, ShardId=FIRST, StartingPosition=position
    )
    try:
        yield iter(answer["EventStream"])
    finally:
        answer["EventStream"].close()


def take(events, count):
    """The data of the next `count` records, and where it goes on."""
    got = []
    while len(got) < count:
        event = next(events)["SubscribeToShardEvent"]
        got += [record["Data"] for record in event["Records"]]
        continuation = event["ContinuationSequenceNumber"]
    return got, continuation


def put(t, name, start, end):
    """Puts numbers."""
    entries = [{"Data": b"%d" % n, "PartitionKey": "k"} for n in range(start, end)]
    equal(t.kinesis.put_records(StreamName=name, Records=entries)["FailedRecordCount"], 0)
