"""taskiq-redis: the Redis Streams broker, which acknowledges and takes over what a dead consumer held."""

import asyncio
import time

from taskiq.api import run_receiver_task
from taskiq_redis import RedisStreamBroker

from common import LEASE_SECONDS, Log, arguments, payload, wait_until_due

options = arguments()
broker = RedisStreamBroker(
    url=options.redis, idle_timeout=LEASE_SECONDS * 1000, unacknowledged_lock_timeout=LEASE_SECONDS
)


@broker.task(task_name="run")
async def run(task: dict) -> None:
    started = log.started(task)
    if options.ms:
        await asyncio.sleep(options.ms / 1000)
    log.ended(task, started)


async def produce():
    await broker.startup()
    start = time.monotonic()
    # taskiq has no call that adds several tasks at once: 50 calls are under way together.
    calls = set()
    for number in range(options.count):
        if options.rate:
            await asyncio.sleep(wait_until_due(start, number, options.rate))
        elif len(calls) == 50:
            _, calls = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        calls.add(asyncio.create_task(run.kiq(payload(options.first + number))))
    if calls:
        await asyncio.gather(*calls)


async def work():
    await broker.startup()
    await run_receiver_task(broker, max_async_tasks=options.concurrency)


if options.role == "work":
    log = Log(options.log, options.starts)
    broker.is_worker_process = True
asyncio.run(produce() if options.role == "produce" else work())
