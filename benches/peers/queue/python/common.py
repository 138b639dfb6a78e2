"""What the Python peers share: arguments, payloads of 450 bytes, and the log of what ran."""

import argparse
import json
import os
import struct
import time

PAYLOAD_BYTES = 450
LEASE_SECONDS = 5


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--redis", required=True)
    roles = parser.add_subparsers(dest="role", required=True)
    produce = roles.add_parser("produce")
    produce.add_argument("--count", type=int, required=True)
    produce.add_argument("--first", type=int, default=0, help="the first task's id; those that follow count on")
    produce.add_argument("--rate", type=int, default=0, help="tasks per second; 0: as many as it can")
    work = roles.add_parser("work")
    work.add_argument("--concurrency", type=int, required=True)
    work.add_argument("--ms", type=int, required=True)
    work.add_argument("--log", required=True)
    work.add_argument("--starts", action="store_true")
    return parser.parse_args()


def payload(number):
    """A task: as JSON it has 450 bytes. `at`: when its caller gave it to the queue, in nanoseconds since 1970."""
    made = {"id": number, "at": time.time_ns(), "text": ""}
    made["text"] = "x" * (PAYLOAD_BYTES - len(json.dumps(made, separators=(",", ":"))))
    return made


class Log:
    """Records of 32 bytes: id, given, started, ended (0 at the start). One call to the system each: a kill loses none."""

    def __init__(self, path, starts):
        self.file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        self.starts = starts

    def started(self, task):
        started = time.time_ns()
        if self.starts:
            self.record(task, started, 0)
        return started

    def ended(self, task, started):
        self.record(task, started, time.time_ns())

    def record(self, task, started, ended):
        os.write(self.file, struct.pack("<4Q", task["id"], task["at"], started, ended))


def wait_until_due(start, index, rate):
    """Seconds to wait until task `index` of a stream of `rate` per second is due; 0 when it is."""
    return max(0.0, start + index / rate - time.monotonic())
