"""Records that the KPL has aggregated pass through as they are."""

import base64
import hashlib

from aws_kinesis_agg.aggregator import RecordAggregator
from aws_kinesis_agg.deaggregator import deaggregate_records

from proving import equal, proof


@proof("aggregated user records are put, read back and taken apart: keys, order, data")
def aggregated(t):
    with t.stream(shards=2) as name:
        users = [(f"key-{n % 17}", b"user record %d" % n) for n in range(500)]
        # Each shard's aggregate has an explicit hash key inside that shard, as the KPL makes it.
        ranges = [shard["HashKeyRange"] for shard in t.shards(name)]
        wanted = []
        for keys in ranges:
            low, high = int(keys["StartingHashKey"]), int(keys["EndingHashKey"])
            mine = [user for user in users if low <= hash_key(user[0]) <= high]
            wanted.append(mine)
            aggregator = RecordAggregator()
            for key, data in mine:
                assert aggregator.add_user_record(key, data, str(hash_key(key))) is None
            _, _, blob = aggregator.clear_and_get().get_contents()
            t.kinesis.put_record(
                StreamName=name, Data=blob, PartitionKey="a", ExplicitHashKey=str(low)
            )
        for shard, mine in zip(t.shards(name), wanted, strict=True):
            records, _ = t.read(name, shard["ShardId"], 1)
            equal(len(records), 1)
            assert records[0]["Data"].startswith(b"\xf3\x89\x9a\xc2")
            equal([(u["key"], u["data"]) for u in apart(records[0])], mine)


def apart(record):
    """The user records, by the library for Lambda functions, which get records like this."""
    kinesis = {
        "kinesisSchemaVersion": "1.0",
        "partitionKey": record["PartitionKey"],
        "sequenceNumber": record["SequenceNumber"],
        "approximateArrivalTimestamp": record["ApproximateArrivalTimestamp"].timestamp(),
        "data": base64.b64encode(record["Data"]).decode(),
    }
    for user in deaggregate_records([{"kinesis": kinesis}]):
        user = user["kinesis"]
        yield {"key": user["partitionKey"], "data": base64.b64decode(user["data"])}


def hash_key(partition_key):
    """Where a partition key is routed."""
    return int(hashlib.md5(partition_key.encode()).hexdigest(), 16)
