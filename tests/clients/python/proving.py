"""What the parts of the suite share: clients, proofs, waiting, reading a shard."""

import contextlib
import itertools
import sys
import time
import traceback

import boto3
import botocore.exceptions
from botocore.config import Config

# Nothing that works takes this long; only a hang gets here.
HANG_S = 60
# GetRecords is allowed five times a second on a shard.
READ_PAUSE_S = 0.21
HASH_KEY_MAX = 2**128 - 1

_names = itertools.count(1)
_proofs = []


def proof(text):
    """Marks a function as one proof; `text` says what it proves."""

    def mark(function):
        _proofs.append((function.__module__, text, function))
        return function

    return mark


def run(context, only):
    """Runs the proofs in the order of their definition; answers those that failed."""
    failed = []
    for module, text, function in _proofs:
        if only and only not in (module, function.__name__):
            continue
        start = time.monotonic()
        try:
            function(context)
        except Exception as error:  # every proof is to be tried
            failed.append(function.__name__)
            traceback.print_exc()
            print(f"FAILED  {module}.{function.__name__}: {text}: {error}", flush=True)
        else:
            took = time.monotonic() - start
            print(f"proved  {text} ({module}.{function.__name__}, {took:.2f} s)", flush=True)
    return failed


class Context:
    """One server and the operations that were asked of it."""

    def __init__(self, endpoint, ca):
        self.endpoint, self.ca, self.used = endpoint, ca, set()
        # A throttled control call is asked again, as every program does that boto3 is in.
        self.kinesis = self.client(retries={"mode": "standard", "total_max_attempts": 8})
        self.once = self.client(retries={"mode": "standard", "total_max_attempts": 1})

    def client(self, service="kinesis", **config):
        """A client with its own pool of connections."""
        client = boto3.client(
            service,
            endpoint_url=self.endpoint,
            verify=self.ca,
            region_name="us-east-1",
            aws_access_key_id="AKIDEXAMPLE",
            aws_secret_access_key="secret",
            config=Config(**config),
        )
        client.meta.events.register("before-call", self._note)
        return client

    def _note(self, model, **_):
        self.used.add(model.name)

    @contextlib.contextmanager
    def stream(self, shards=1, **options):
        """The name of a new stream, which is gone afterwards."""
        name = f"boto-{next(_names)}"
        if "StreamModeDetails" not in options:
            options["ShardCount"] = shards
        self.kinesis.create_stream(StreamName=name, **options)
        self.active(name)
        try:
            yield name
        finally:
            self.settled(name)
            self.kinesis.delete_stream(StreamName=name, EnforceConsumerDeletion=True)

    def active(self, name):
        """boto3's own waiter, more eagerly than it waits by default."""
        waiter = self.kinesis.get_waiter("stream_exists")
        waiter.wait(StreamName=name, WaiterConfig={"Delay": 1, "MaxAttempts": HANG_S})
        return self.summary(name)

    def settled(self, name):
        """Waits until a change is over."""
        until(lambda: self.summary(name)["StreamStatus"] == "ACTIVE", f"{name} is ACTIVE")

    def summary(self, name):
        """DescribeStreamSummary."""
        answer = self.kinesis.describe_stream_summary(StreamName=name)
        return answer["StreamDescriptionSummary"]

    def arn(self, name):
        """The stream's ARN."""
        return self.summary(name)["StreamARN"]

    def shards(self, name, **request):
        """All pages of ListShards."""
        pages = self.kinesis.get_paginator("list_shards").paginate(StreamName=name, **request)
        return [shard for page in pages for shard in page["Shards"]]

    def iterator(self, name, shard, kind="TRIM_HORIZON", **position):
        """GetShardIterator."""
        answer = self.kinesis.get_shard_iterator(
            StreamName=name, ShardId=shard, ShardIteratorType=kind, **position
        )
        return answer["ShardIterator"]

    def read(self, name, shard, count, kind="TRIM_HORIZON", **position):
        """`count` records, or fewer when the shard ends; and the last answer."""
        records, iterator = [], self.iterator(name, shard, kind, **position)
        deadline = time.monotonic() + HANG_S
        while True:
            answer = self.kinesis.get_records(ShardIterator=iterator)
            records += answer["Records"]
            iterator = answer.get("NextShardIterator")
            if len(records) >= count or iterator is None:
                return records, answer
            assert time.monotonic() < deadline, f"{len(records)} of {count} records of {shard}"
            time.sleep(READ_PAUSE_S)


def until(condition, what, pause_s=0.1):
    """Asks until the answer is yes."""
    deadline = time.monotonic() + HANG_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {HANG_S} s: {what}"
        time.sleep(pause_s)


@contextlib.contextmanager
def refused(code, *fragments, status=400):
    """The block must end in this error, whose text has these parts."""
    try:
        yield
    except botocore.exceptions.ClientError as error:
        got, meta = error.response["Error"], error.response["ResponseMetadata"]
        assert got["Code"] == code, f"{got} instead of {code}"
        assert type(error).__name__ in (code, "ClientError"), type(error)
        assert meta["HTTPStatusCode"] == status, meta
        assert meta["RequestId"], "an error has a request id"
        for fragment in fragments:
            assert fragment in got["Message"], f"{fragment!r} is not in {got['Message']!r}"
    else:
        raise AssertionError(f"{code} was to be the answer")


def equal(got, wanted, what=""):
    """An assertion that shows both sides."""
    assert got == wanted, f"{what}: {got!r} instead of {wanted!r}"


def give_up(why):
    """Ends the suite."""
    print(f"FAILED  {why}", file=sys.stderr, flush=True)
    sys.exit(1)
