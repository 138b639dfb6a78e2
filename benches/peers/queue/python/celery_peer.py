"""Celery with Redis as its broker; late acknowledgement, so that a killed worker's tasks come back."""

import time

from celery import Celery

from common import LEASE_SECONDS, Log, arguments, payload, wait_until_due

options = arguments()
app = Celery("bench", broker=options.redis)
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    broker_transport_options={
        "visibility_timeout": LEASE_SECONDS,
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
    },
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
)


@app.task(name="run")
def run(task):
    started = log.started(task)
    if options.ms:
        time.sleep(options.ms / 1000)
    log.ended(task, started)


if options.role == "produce":
    start = time.monotonic()
    # Celery has no call that adds several tasks at once.
    with app.producer_pool.acquire(block=True) as producer:
        for number in range(options.count):
            if options.rate:
                time.sleep(wait_until_due(start, number, options.rate))
            run.apply_async((payload(options.first + number),), producer=producer)
else:
    log = Log(options.log, options.starts)
    # Threads: more tasks per second than processes, and any concurrency fits the machine.
    app.worker_main(
        ["worker", "-P", "threads", "-c", str(options.concurrency), "-l", "WARNING", "--without-gossip",
         "--without-mingle", "--without-heartbeat"]
    )
