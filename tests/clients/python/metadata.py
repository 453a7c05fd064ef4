"""Tags of streams and consumers, resource policies."""

import json

from fan_out import register
from proving import equal, proof, refused


@proof("tags of a stream: added, replaced, listed in pages, removed, by name and by ARN")
def stream_tags(t):
    with t.stream(Tags={"from": "creation"}) as name:
        arn = t.arn(name)
        t.kinesis.add_tags_to_stream(
            StreamName=name, Tags={f"key-{n:02}": f"value {n}" for n in range(12)}
        )
        t.kinesis.tag_resource(ResourceARN=arn, Tags={"key-00": "new", "größe": "π @ 1+1=2"})
        wanted = {f"key-{n:02}": f"value {n}" for n in range(1, 12)}
        wanted |= {"key-00": "new", "größe": "π @ 1+1=2", "from": "creation"}
        equal(as_dict(t.kinesis.list_tags_for_resource(ResourceARN=arn)), wanted)
        listed, start = {}, {}
        while True:
            page = t.kinesis.list_tags_for_stream(StreamName=name, Limit=5, **start)
            assert len(page["Tags"]) <= 5
            listed |= as_dict(page)
            if not page["HasMoreTags"]:
                break
            start = {"ExclusiveStartTagKey": page["Tags"][-1]["Key"]}
        equal(listed, wanted)
        t.kinesis.remove_tags_from_stream(StreamARN=arn, TagKeys=["from", "never was"])
        t.kinesis.untag_resource(ResourceARN=arn, TagKeys=["größe"])
        del wanted["from"], wanted["größe"]
        equal(as_dict(t.kinesis.list_tags_for_resource(ResourceARN=arn)), wanted)
        with refused("InvalidArgumentException", "cannot have more than 50 tags"):
            t.once.add_tags_to_stream(
                StreamName=name, Tags={f"more-{n}": "" for n in range(45)}
            )
        with refused("InvalidArgumentException", "invalid characters"):
            t.once.add_tags_to_stream(StreamName=name, Tags={"a;b": "c"})


@proof("tags of a consumer")
def consumer_tags(t):
    with t.stream() as name:
        answer = t.kinesis.register_stream_consumer(
            StreamARN=t.arn(name), ConsumerName="tagged", Tags={"a": "1"}
        )
        arn = answer["Consumer"]["ConsumerARN"]
        t.kinesis.tag_resource(ResourceARN=arn, Tags={"b": "2"})
        equal(as_dict(t.kinesis.list_tags_for_resource(ResourceARN=arn)), {"a": "1", "b": "2"})
        t.kinesis.untag_resource(ResourceARN=arn, TagKeys=["a"])
        equal(as_dict(t.kinesis.list_tags_for_resource(ResourceARN=arn)), {"b": "2"})
        equal(as_dict(t.kinesis.list_tags_for_resource(ResourceARN=t.arn(name))), {})


@proof("resource policies of streams and consumers: put, got, replaced, deleted")
def policies(t):
    with t.stream() as name:
        for arn in (t.arn(name), register(t, name, "shared")):
            equal(json.loads(t.kinesis.get_resource_policy(ResourceARN=arn)["Policy"]), {})
            for action in ("kinesis:DescribeStreamSummary", "kinesis:ListShards"):
                policy = policy_for(arn, action)
                t.kinesis.put_resource_policy(ResourceARN=arn, Policy=json.dumps(policy))
                got = t.kinesis.get_resource_policy(ResourceARN=arn)["Policy"]
                equal(json.loads(got), policy)
            t.kinesis.delete_resource_policy(ResourceARN=arn)
            equal(json.loads(t.kinesis.get_resource_policy(ResourceARN=arn)["Policy"]), {})
            with refused("ResourceNotFoundException"):
                t.kinesis.delete_resource_policy(ResourceARN=arn)
    with refused("ResourceNotFoundException"):
        t.once.get_resource_policy(ResourceARN=arn)


def policy_for(arn, action):
    """A policy that lets another account in."""
    if "/consumer/" in arn:
        action = "kinesis:DescribeStreamConsumer"
    statement = {
        "Sid": action.replace(":", ""),
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
        "Action": [action],
        "Resource": arn,
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def as_dict(answer):
    """Tags by key."""
    return {tag["Key"]: tag["Value"] for tag in answer["Tags"]}
