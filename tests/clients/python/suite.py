"""boto3 against a server: every operation of a data stream, as a program would use it.

usage: suite.py --http URL [--https URL --ca FILE] [--only MODULE|PROOF]
"""

import argparse
import sys
import time

# In the order in which their proofs run.
import streams
import records
import shards
import fan_out
import metadata
import settings
import refusals
import aggregation
from proving import Context, give_up, run

PARTS = (streams, records, shards, fan_out, metadata, settings, refusals, aggregation)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--http", required=True)
    parser.add_argument("--https")
    parser.add_argument("--ca")
    parser.add_argument("--only")
    options = parser.parse_args()
    start, context = time.monotonic(), Context(options.http, None)
    failed = run(context, options.only)
    if options.https and not options.only:
        # What TLS changes is below the operations: the way of a record there and back shows it.
        encrypted = Context(options.https, options.ca)
        failed += run(encrypted, "there_and_back")
    if not options.only:
        unused = data_stream_operations(context) - context.used
        if unused:
            failed.append(f"not asked for: {sorted(unused)}")
    if failed:
        give_up(", ".join(failed))
    print(f"boto3: all proofs in {time.monotonic() - start:.1f} s", flush=True)


def data_stream_operations(context):
    """What the model has, but for the families that are not offered yet."""
    names = context.kinesis.meta.service_model.operation_names
    return {name for name in names if "Channel" not in name and "Queue" not in name}


if __name__ == "__main__":
    assert len(PARTS) == 8
    sys.exit(main())
