"""Split, merge and scale, and reading across them."""

import time

from proving import HASH_KEY_MAX, equal, proof, refused
from records import bounds

FIRST, SECOND, THIRD, FOURTH = (f"shardId-{n:012}" for n in range(4))


@proof("a split and a merge: lineage, ranges, ends, children at the end of the parents")
def split_and_merge(t):
    with t.stream() as name:
        half = 2**127
        put(t, name, 0, 10)
        t.kinesis.split_shard(
            StreamName=name, ShardToSplit=FIRST, NewStartingHashKey=str(half)
        )
        t.settled(name)
        put(t, name, 10, 20)
        t.kinesis.merge_shards(
            StreamName=name, ShardToMerge=SECOND, AdjacentShardToMerge=THIRD
        )
        t.settled(name)
        put(t, name, 20, 30)

        shards = {shard["ShardId"]: shard for shard in t.shards(name)}
        equal(list(shards), [FIRST, SECOND, THIRD, FOURTH])
        equal(bounds(shards[SECOND]), (0, half - 1))
        equal(bounds(shards[THIRD]), (half, HASH_KEY_MAX))
        equal(bounds(shards[FOURTH]), (0, HASH_KEY_MAX))
        equal(shards[SECOND]["ParentShardId"], FIRST)
        equal(shards[THIRD]["ParentShardId"], FIRST)
        parents = {shards[FOURTH]["ParentShardId"], shards[FOURTH]["AdjacentParentShardId"]}
        equal(parents, {SECOND, THIRD})
        ends = {s: d["SequenceNumberRange"] for s, d in shards.items()}
        closed = {s for s, numbers in ends.items() if "EndingSequenceNumber" in numbers}
        equal(closed, {FIRST, SECOND, THIRD})
        open_now = t.shards(name, ShardFilter={"Type": "AT_LATEST"})
        equal([shard["ShardId"] for shard in open_now], [FOURTH])

        # Parents to their ends, then children, as every consumer does it.
        records, last = t.read(name, FIRST, 11)
        equal([r["Data"] for r in records], [b"%d" % n for n in range(10)])
        equal({c["ShardId"] for c in last["ChildShards"]}, {SECOND, THIRD})
        for child in last["ChildShards"]:
            equal(child["ParentShards"], [FIRST])
            equal(bounds(child), bounds(shards[child["ShardId"]]))
        middle = []
        for shard in (SECOND, THIRD):
            records, last = t.read(name, shard, 11)
            middle += records
            equal([c["ShardId"] for c in last["ChildShards"]], [FOURTH])
            equal(set(last["ChildShards"][0]["ParentShards"]), {SECOND, THIRD})
        equal({r["Data"] for r in middle}, {b"%d" % n for n in range(10, 20)})
        records, last = t.read(name, FOURTH, 10)
        equal([r["Data"] for r in records], [b"%d" % n for n in range(20, 30)])
        newest = max(int(r["SequenceNumber"]) for r in middle)
        assert newest < int(records[0]["SequenceNumber"]), "children sort behind their parents"
        refused_reshards(t, name)


def refused_reshards(t, name):
    with refused("InvalidArgumentException", "has already been merged or split"):
        t.kinesis.split_shard(StreamName=name, ShardToSplit=FIRST, NewStartingHashKey="9")
    with refused("InvalidArgumentException", "is not both greater than one plus"):
        t.kinesis.split_shard(StreamName=name, ShardToSplit=FOURTH, NewStartingHashKey="0")
    with refused("ResourceNotFoundException", "Could not find shard"):
        t.kinesis.split_shard(
            StreamName=name, ShardToSplit="shardId-000000000099", NewStartingHashKey="9"
        )


@proof("LATEST on a closed shard is its end, where its children are named")
def latest_of_a_closed_shard(t):
    with t.stream() as name:
        put(t, name, 0, 5)
        t.kinesis.split_shard(StreamName=name, ShardToSplit=FIRST, NewStartingHashKey="77")
        t.settled(name)
        answer = t.kinesis.get_records(ShardIterator=t.iterator(name, FIRST, "LATEST"))
        equal(answer["Records"], [])
        assert answer.get("NextShardIterator") is None, answer
        equal({c["ShardId"] for c in answer["ChildShards"]}, {SECOND, THIRD})


@proof("UpdateShardCount scales evenly, echoes what it does, and has bounds")
def scale(t):
    with t.stream(shards=2) as name:
        answer = t.kinesis.update_shard_count(
            StreamName=name, TargetShardCount=3, ScalingType="UNIFORM_SCALING"
        )
        equal((answer["CurrentShardCount"], answer["TargetShardCount"]), (2, 3))
        equal(answer["StreamName"], name)
        equal(answer["StreamARN"], t.arn(name))
        t.settled(name)
        ranges = sorted(bounds(s) for s in t.shards(name, ShardFilter={"Type": "AT_LATEST"}))
        equal(len(ranges), 3)
        equal((ranges[0][0], ranges[-1][1]), (0, HASH_KEY_MAX), "no key without a shard")
        assert all(a[1] + 1 == b[0] for a, b in zip(ranges, ranges[1:])), ranges
        with refused("LimitExceededException", "cannot scale up over double"):
            t.once.update_shard_count(
                StreamName=name, TargetShardCount=7, ScalingType="UNIFORM_SCALING"
            )


@proof("records that are put while shards split and merge are all there, each once")
def reshard_under_load(t):
    with t.stream(shards=2) as name:
        count = 0

        def put_some():
            nonlocal count
            put(t, name, count, count + 40)
            count += 40

        put_some()
        t.kinesis.split_shard(
            StreamName=name, ShardToSplit=FIRST, NewStartingHashKey=str(2**126)
        )
        put_some()
        t.settled(name)
        put_some()
        t.kinesis.merge_shards(
            StreamName=name, ShardToMerge=FOURTH, AdjacentShardToMerge=SECOND
        )
        put_some()
        t.settled(name)
        put_some()
        got = [data for shard in t.shards(name) for data in drain(t, name, shard["ShardId"])]
        equal(sorted(got, key=int), [b"%d" % n for n in range(count)])


def drain(t, name, shard):
    """The data of a shard up to its end, or to the tip of an open one."""
    iterator, got = t.iterator(name, shard), []
    while iterator:
        answer = t.kinesis.get_records(ShardIterator=iterator)
        got += [record["Data"] for record in answer["Records"]]
        iterator = answer.get("NextShardIterator")
        if not answer["Records"] and answer["MillisBehindLatest"] == 0:
            break
        time.sleep(0.21)
    return got


def put(t, name, start, end):
    """Puts numbers under keys of their own."""
    entries = [{"Data": b"%d" % n, "PartitionKey": str(n)} for n in range(start, end)]
    answer = t.kinesis.put_records(StreamName=name, Records=entries)
    equal(answer["FailedRecordCount"], 0)
