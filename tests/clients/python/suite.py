"""boto3 against a server: every operation of a data stream, as a program would use it.

usage: suite.py --http URL [--https URL --ca FILE] [--only MODULE|PROOF]
"""

import argparse
import time

# A part that is imported has its proofs in the list, and they run in this order.
import streams  # noqa: F401
import records  # noqa: F401
import shards  # noqa: F401
import fan_out  # noqa: F401
import metadata  # noqa: F401
import settings  # noqa: F401
import refusals  # noqa: F401
import aggregation  # noqa: F401
from proving import Context, give_up, run


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
    main()
