"""Puts and gets: every position, order, throttling, sizes, dry runs."""

import hashlib
import os
import time
from datetime import datetime, timedelta, timezone

from proving import equal, proof, refused

SHARD = "shardId-000000000000"


@proof("records come back as they were put, byte for byte, in the order of their numbers")
def there_and_back(t):
    with t.stream() as name:
        # Empty data, all bytes, text that is not ASCII, a key of 256 characters.
        data = [b"", bytes(range(256)), "größer 🦀".encode(), os.urandom(70_000)]
        keys = ["k", "schlüssel", "🦀", "ü" * 256]
        before = datetime.now(timezone.utc) - timedelta(seconds=5)
        puts = [
            t.kinesis.put_record(StreamName=name, Data=d, PartitionKey=k)
            for d, k in zip(data, keys)
        ]
        numbers = [put["SequenceNumber"] for put in puts]
        equal(numbers, sorted(numbers, key=int))
        assert all(len(number) == 56 for number in numbers), "so text sorts as numbers do"
        records, last = t.read(name, SHARD, 4)
        equal([r["Data"] for r in records], data)
        equal([r["PartitionKey"] for r in records], keys)
        equal([r["SequenceNumber"] for r in records], numbers)
        arrivals = [r["ApproximateArrivalTimestamp"] for r in records]
        equal(arrivals, sorted(arrivals))
        assert before < arrivals[0] < before + timedelta(seconds=65), arrivals
        equal(last["MillisBehindLatest"], 0)
        assert "ChildShards" not in last, "only the end of a shard has children"


@proof("every kind of iterator starts where it says")
def positions(t):
    with t.stream() as name:
        first = put_many(t, name, 3)
        time.sleep(0.05)  # so that a time exists between the two halves
        second = put_many(t, name, 3, start=3)
        records, _ = t.read(name, SHARD, 6)
        equal([r["Data"] for r in records], [b"%d" % n for n in range(6)])
        at = {"StartingSequenceNumber": first[1]}
        got = datas(t.read(name, SHARD, 5, "AT_SEQUENCE_NUMBER", **at))
        equal(got, [b"%d" % n for n in range(1, 6)])
        got = datas(t.read(name, SHARD, 4, "AFTER_SEQUENCE_NUMBER", **at))
        equal(got, [b"%d" % n for n in range(2, 6)])
        between = records[3]["ApproximateArrivalTimestamp"] - timedelta(milliseconds=1)
        got = datas(t.read(name, SHARD, 3, "AT_TIMESTAMP", Timestamp=between))
        equal(got, [b"3", b"4", b"5"])
        start = t.shards(name)[0]["SequenceNumberRange"]["StartingSequenceNumber"]
        at = {"StartingSequenceNumber": start}
        equal(len(t.read(name, SHARD, 6, "AT_SEQUENCE_NUMBER", **at)[0]), 6, "the shard's start")
        latest = t.iterator(name, SHARD, "LATEST")
        third = put_many(t, name, 1, start=6)
        answer = t.kinesis.get_records(ShardIterator=latest)
        equal([r["SequenceNumber"] for r in answer["Records"]], third)
        assert int(second[-1]) < int(third[0])


@proof("a shard is read in steps of Limit, each iterator is new, and the distance is true")
def small_steps(t):
    with t.stream() as name:
        put_many(t, name, 10)
        iterator, got, seen = t.iterator(name, SHARD), [], set()
        while len(got) < 10:
            answer = t.kinesis.get_records(ShardIterator=iterator, Limit=4)
            assert len(answer["Records"]) <= 4
            got += answer["Records"]
            seen.add(iterator)
            iterator = answer["NextShardIterator"]
            assert iterator not in seen and len(iterator) <= 512
            time.sleep(0.21)
        equal([r["Data"] for r in got], [b"%d" % n for n in range(10)])
        equal(answer["MillisBehindLatest"], 0)


@proof("PutRecords answers in order, and keys and explicit hash keys choose the shards")
def routing(t):
    with t.stream(shards=4) as name:
        ranges = [(shard["ShardId"], *bounds(shard)) for shard in t.shards(name)]

        def owner(hash_key):
            return next(shard for shard, low, high in ranges if low <= hash_key <= high)

        keys = [f"key-{n}" for n in range(60)]
        entries = [{"Data": k.encode(), "PartitionKey": k} for k in keys]
        wanted = [owner(int(hashlib.md5(k.encode()).hexdigest(), 16)) for k in keys]
        for _, low, high in ranges:
            for hash_key in (low, high):
                explicit = str(hash_key)
                entries.append({"Data": b"x", "PartitionKey": "p", "ExplicitHashKey": explicit})
                wanted.append(owner(hash_key))
        answer = t.kinesis.put_records(StreamARN=t.arn(name), Records=entries)
        equal(answer["FailedRecordCount"], 0)
        equal([r["ShardId"] for r in answer["Records"]], wanted)
        equal(len(set(wanted)), 4)
        for shard, _, _ in ranges:
            mine = [r["SequenceNumber"] for r in answer["Records"] if r["ShardId"] == shard]
            equal([r["SequenceNumber"] for r in t.read(name, shard, len(mine))[0]], mine)


@proof("SequenceNumberForOrdering orders, and a number that is none is refused")
def ordering(t):
    with t.stream() as name:
        put = t.kinesis.put_record(StreamName=name, Data=b"1", PartitionKey="k")
        last = put["SequenceNumber"]
        put = t.kinesis.put_record(
            StreamName=name, Data=b"2", PartitionKey="k", SequenceNumberForOrdering=last
        )
        assert int(put["SequenceNumber"]) > int(last)
        # The last digit in base 16 is the version; there is no third.
        third = str(int(put["SequenceNumber"]) + 1)
        with refused("InvalidArgumentException", "ExclusiveMinimumSequenceNumber"):
            t.once.put_record(
                StreamName=name, Data=b"3", PartitionKey="k", SequenceNumberForOrdering=third
            )


@proof("a shard takes 1,000 records a second; what it refuses goes through when it is put again")
def throttled_puts(t):
    with t.stream() as name:
        waiting = [{"Data": b"%d" % n, "PartitionKey": "k"} for n in range(3000)]
        refusals, stored = 0, {}
        while waiting:
            part, rest = waiting[:500], waiting[500:]
            answer = t.kinesis.put_records(StreamName=name, Records=part)
            again = []
            for entry, result in zip(part, answer["Records"], strict=True):
                if "ErrorCode" in result:
                    equal(result["ErrorCode"], "ProvisionedThroughputExceededException")
                    assert "Rate exceeded for shard " + SHARD in result["ErrorMessage"], result
                    assert "SequenceNumber" not in result and "ShardId" not in result, result
                    again.append(entry)
                else:
                    stored[result["SequenceNumber"]] = entry["Data"]
            equal(len(again), answer["FailedRecordCount"])
            refusals += len(again)
            waiting = again + rest
            if again:
                time.sleep(0.1)
        assert refusals > 0, "3,000 records in no time are more than a shard takes"
        records, _ = t.read(name, SHARD, 3000)
        equal({r["SequenceNumber"]: r["Data"] for r in records}, stored)


@proof("a single put that is throttled is put again by boto3 itself")
def throttled_put_is_retried(t):
    with t.stream() as name:
        eager = t.client(retries={"mode": "standard", "total_max_attempts": 12})
        # A shard takes one MiB a second, so some of five puts in a row come too early.
        puts = [
            eager.put_record(StreamName=name, Data=bytes(900_000), PartitionKey="k")
            for _ in range(5)
        ]
        retries = [put["ResponseMetadata"]["RetryAttempts"] for put in puts]
        assert sum(retries) > 0, "five puts of 900 KB were all within 1 MB a second"
        numbers = [int(put["SequenceNumber"]) for put in puts]
        equal(numbers, sorted(numbers))


@proof("records up to MaxRecordSizeInKiB are taken, larger ones are refused")
def record_sizes(t):
    with t.stream(MaxRecordSizeInKiB=10240) as name:
        equal(t.summary(name)["MaxRecordSizeInKiB"], 10240)
        large = os.urandom(10 * 1024 * 1024 - 1)
        t.kinesis.put_record(StreamName=name, Data=large, PartitionKey="k")
        records, _ = t.read(name, SHARD, 1)
        assert records[0]["Data"] == large, "10 MiB come back as they were"
    with t.stream() as name:
        t.kinesis.put_record(StreamName=name, Data=bytes(1024 * 1024 - 1), PartitionKey="k")
        with refused("InvalidArgumentException"):
            t.once.put_record(StreamName=name, Data=bytes(1024 * 1024), PartitionKey="k")
        t.kinesis.update_max_record_size(StreamARN=t.arn(name), MaxRecordSizeInKiB=2048)
        t.settled(name)
        equal(t.summary(name)["MaxRecordSizeInKiB"], 2048)


@proof("a dry run says what would be, and does nothing")
def dry_runs(t):
    with t.stream() as name:
        iterator = t.iterator(name, SHARD)
        for ask in (
            lambda: t.once.put_record(StreamName=name, Data=b"", PartitionKey="k", DryRun=True),
            lambda: t.once.put_records(
                StreamName=name, Records=[{"Data": b"", "PartitionKey": "k"}], DryRun=True
            ),
            lambda: t.once.get_shard_iterator(
                StreamName=name, ShardId=SHARD, ShardIteratorType="LATEST", DryRun=True
            ),
            lambda: t.once.get_records(ShardIterator=iterator, DryRun=True),
        ):
            with refused("DryRunOperationException"):
                ask()
        with refused("ResourceNotFoundException"):
            t.once.put_record(StreamName="nobody", Data=b"", PartitionKey="k", DryRun=True)
        equal(t.kinesis.get_records(ShardIterator=iterator)["Records"], [])


@proof("an on-demand stream that distributes by itself takes records without keys")
def automatic_distribution(t):
    with t.stream(StreamModeDetails={"StreamMode": "ON_DEMAND"}) as name:
        arn = t.arn(name)
        with refused("ValidationException"):
            t.once.put_record(StreamName=name, Data=b"no key")
        t.kinesis.update_stream_record_distribution_strategy(
            StreamARN=arn, RecordDistributionStrategy="AUTO"
        )
        t.settled(name)
        equal(t.summary(name)["RecordDistributionStrategy"], "AUTO")
        put = t.kinesis.put_record(StreamName=name, Data=b"no key")
        records, _ = t.read(name, put["ShardId"], 1)
        equal(records[0]["Data"], b"no key")
        assert "PartitionKey" not in records[0], records


def put_many(t, name, count, start=0):
    """Puts the numbers from `start` on as data; their sequence numbers."""
    entries = [{"Data": b"%d" % n, "PartitionKey": "k"} for n in range(start, start + count)]
    answer = t.kinesis.put_records(StreamName=name, Records=entries)
    equal(answer["FailedRecordCount"], 0)
    return [record["SequenceNumber"] for record in answer["Records"]]


def bounds(shard):
    """The shard's first and last hash key."""
    keys = shard["HashKeyRange"]
    return int(keys["StartingHashKey"]), int(keys["EndingHashKey"])


def datas(read):
    """The data of what `read` has read."""
    return [record["Data"] for record in read[0]]
