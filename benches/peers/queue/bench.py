"""Runs the same work on Talon's queue and on its peers, one after the other on one redis-server, and prints a report.

A cell is a peer, a concurrency and a kind of task. Its tasks are added first and then worked off (tasks/s, first tenth
left out), then added at half of that rate, one call each, while a worker runs (from the caller's clock to the start).
Talon has the load of the best of its peers there, so that the two can be compared. Then two workers run while one is
killed every two seconds (`kills`).
"""

import argparse
import contextlib
import json
import os
import pathlib
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
CONCURRENCY = (1, 10, 50)
TASKS_MS = (0, 20)
# Tasks/s that a peer may reach on two cores: decides how many tasks a cell has, so that it takes about DRAIN_SECONDS.
EXPECTED = {"bullmq-rust": 8_000, "bullmq-node": 5_000, "apalis": 8_000, "taskiq": 2_000, "celery": 1_200,
            "talon-payload": 15_000, "talon": 30_000}
OURS = ("talon-payload", "talon")
DRAIN_SECONDS = 2.5
LATENCY_SECONDS = 3
# Nothing ran for so long: what is left does not come back. Above every peer's lease of 5 s.
SILENCE_SECONDS = 15
# Tasks beside those that count begin here: one that shows that a worker runs, and a few that keep coming after a kill.
ASIDE = 1_000_000_000
KILL = {"seconds": 12, "every": 2, "workers": 2, "concurrency": 10, "ms": 20, "rate": 200}


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="queue-peers-") as folder, redis(folder) as url:
        bench = Bench(options, pathlib.Path(folder), url)
        kinds = [] if options.only_kills else [(ms, concurrency) for ms in TASKS_MS for concurrency in CONCURRENCY]
        cells = [cell for ms, concurrency in kinds for cell in bench.cells(ms, concurrency)]
        kills = [bench.kills(name) for name in EXPECTED if name in options.peers]
    report = {"machine": machine(), "scale": options.scale, "cells": cells, "kills": kills}
    pathlib.Path(options.json).write_text(json.dumps(report, indent=1) + "\n")
    print(table(report))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", required=True, help="the folder with the virtual environment, node and the Rust target")
    parser.add_argument("--json", required=True, help="where the figures go")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the tasks; small for a trial")
    parser.add_argument("--peers", nargs="+", default=list(EXPECTED), choices=list(EXPECTED))
    parser.add_argument("--only-kills", action="store_true")
    return parser.parse_args()


def say(text):
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def redis(folder):
    """A redis-server with an append-only file, synced each second, as production has it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = ["--port", str(port), "--bind", "127.0.0.1", "--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--dir", folder]
    server = subprocess.Popen(["redis-server", *settings], stdout=subprocess.DEVNULL)
    try:
        while call(port, "PING") != b"+PONG":
            time.sleep(0.02)
        yield f"redis://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


def call(port, *words):
    """One command to Redis; the first line of the answer, or all of a bulk string."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(b"".join([b"*%d\r\n" % len(words), *(b"$%d\r\n%s\r\n" % (len(word), word.encode()) for word in words)]))
            answer = connection.makefile("rb")
            line = answer.readline().strip()
            return answer.read(int(line[1:])) if line.startswith(b"$") else line
    except ConnectionRefusedError:
        return b""


class Stalled(Exception):
    """A peer's worker runs and takes nothing although tasks wait."""


class Bench:
    def __init__(self, options, folder, url):
        self.options, self.folder, self.url = options, folder, url
        self.port = int(url.rsplit(":", 1)[1])
        work = pathlib.Path(options.work)
        rust, python = work / "target/release", [str(work / "venv/bin/python")]
        self.commands = {
            "talon": [str(rust / "talon")],
            "talon-payload": [str(rust / "talon"), "--payloads"],
            "bullmq-rust": [str(rust / "bullmq")],
            "bullmq-node": ["node", str(work / "node/bullmq.mjs")],
            "apalis": [str(rust / "apalis")],
            "taskiq": [*python, str(HERE / "python/taskiq_peer.py")],
            "celery": [*python, str(HERE / "python/celery_peer.py")],
        }
        self.logs = 0

    def cells(self, ms, concurrency):
        """Peers first: Talon is given the load of the best."""
        best, cells = None, []
        for name in [name for name in EXPECTED if name in self.options.peers]:
            if (cell := self.patiently(self.cell, name, concurrency, ms, best)) is None:
                continue
            cells.append(cell)
            if name not in OURS and (best is None or best["tasks_per_second"] < cell["tasks_per_second"]):
                best = cell
        for cell in cells if best else []:
            cell["of_best_peer"] = cell["tasks_per_second"] / best["tasks_per_second"]
        return cells

    def cell(self, name, concurrency, ms, best):
        limit = EXPECTED[name] if ms == 0 else min(EXPECTED[name], concurrency * 1000 / ms)
        count = max(20, int(limit * DRAIN_SECONDS * self.options.scale))
        self.flush()
        empty = self.memory()
        self.produce(name, count)
        bytes_each = (self.memory() - empty) / count
        with self.worker(name, concurrency, ms) as log:
            runs = self.runs(log, count)
        ends = sorted(run["ended"] for run in runs)
        rate = 0.9 * count / ((ends[-1] - ends[count // 10]) / 1e9)
        load = best["tasks_per_second"] if best and name in OURS else rate
        half = self.patiently(self.latency, name, concurrency, ms, load / 2)
        if half is None:
            return None
        cell = {"peer": name, "ms": ms, "concurrency": concurrency, "tasks": count, "tasks_per_second": rate,
                "bytes_per_waiting_task": bytes_each, "half_load": half}
        say(f"{name:12} {ms:2} ms x{concurrency:<3} {rate:8.0f}/s  p50 {half['p50_ms']:.2f} ms  p99 {half['p99_ms']:.2f} ms at {half['rate']:.0f}/s")
        return cell

    @staticmethod
    def patiently(measure, *arguments):
        """Once more where a peer stalls; then without it."""
        for _ in range(2):
            try:
                return measure(*arguments)
            except Stalled as stalled:
                say(f"{arguments[0]} stalled: {stalled}")
        return None

    def latency(self, name, concurrency, ms, rate):
        """Milliseconds from the call that adds a task to its start, at `rate` per second."""
        rate = max(1, int(rate))
        count = max(20, int(rate * LATENCY_SECONDS * self.options.scale))
        self.flush()
        with self.worker(name, concurrency, ms) as log:
            # Runs as soon as the worker is there.
            self.produce(name, 1, first=ASIDE)
            self.runs(log, 1)
            self.produce(name, count, rate)
            runs = self.runs(log, count + 1)[1 + count // 10:]
        waits = sorted((run["started"] - run["at"]) / 1e6 for run in runs)
        return {"rate": rate, "p50_ms": waits[len(waits) // 2], "p99_ms": waits[int(len(waits) * 0.99)]}

    def kills(self, name):
        """Two workers; every two seconds one is killed and replaced. What becomes of the tasks?"""
        self.flush()
        seconds = max(4, KILL["seconds"] * self.options.scale)
        count = int(KILL["rate"] * seconds)
        workers, logs, killed = [], [], []

        def start():
            log = self.log()
            logs.append(log)
            workers.append((self.start(name, KILL["concurrency"], KILL["ms"], log, "--starts"), log))

        for _ in range(KILL["workers"]):
            start()
        self.produce(name, 1, first=ASIDE)
        while not any(records(log) for log in logs):
            time.sleep(0.01)
        producer = subprocess.Popen(self.producer(name, count, KILL["rate"]))
        while producer.poll() is None:
            time.sleep(KILL["every"])
            worker, log = workers.pop(0)
            worker.kill()
            worker.wait()
            killed.append((time.time_ns(), log))
            start()
        if producer.returncode:
            raise SystemExit(f"{name} did not take every task")
        # Some peers look for what was left only when something new comes.
        trickle = subprocess.Popen(self.producer(name, 240, 2, ASIDE + 1))
        seen, quiet = -1, time.monotonic()
        while True:
            ended = {run["id"] for log in logs for run in records(log) if run["ended"] and run["id"] < ASIDE}
            if len(ended) != seen:
                seen, quiet = len(ended), time.monotonic()
            if seen == count or SILENCE_SECONDS < time.monotonic() - quiet:
                break
            time.sleep(0.05)
        for process in [trickle, *(worker for worker, _ in workers)]:
            process.kill()
            process.wait()
        report = {"peer": name, "accepted": count, "kills": len(killed), **self.fates(count, logs, killed)}
        say(f"{name:12} kills: {report}")
        return report

    @staticmethod
    def fates(count, logs, killed):
        runs = {log: records(log) for log in logs}
        ends = {}
        for log in logs:
            for run in runs[log]:
                if run["ended"]:
                    ends.setdefault(run["id"], []).append(run["ended"])
        interrupted, recoveries = 0, []
        for moment, log in killed:
            over = {run["id"] for run in runs[log] if run["ended"]}
            for task in {run["id"] for run in runs[log]} - over:
                interrupted += 1
                later = [end for end in ends.get(task, []) if moment < end]
                if later:
                    recoveries.append((min(later) - moment) / 1e9)
        return {
            "lost": sum(1 for task in range(count) if not ends.get(task)),
            "duplicated": sum(1 for task in range(count) if 1 < len(ends.get(task, []))),
            "interrupted": interrupted,
            "recovered": len(recoveries),
            "recovery_median_s": statistics.median(recoveries) if recoveries else None,
            "recovery_worst_s": max(recoveries, default=None),
        }

    def produce(self, name, count, rate=0, first=0):
        subprocess.run(self.producer(name, count, rate, first), check=True)

    def producer(self, name, count, rate=0, first=0):
        numbers = ["--count", str(count), "--rate", str(rate), "--first", str(first)]
        return [*self.commands[name], "--redis", self.url, "produce", *numbers]

    def start(self, name, concurrency, ms, log, *more):
        command = [*self.commands[name], "--redis", self.url, "work", "--concurrency", str(concurrency), "--ms", str(ms), "--log", str(log), *more]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    @contextlib.contextmanager
    def worker(self, name, concurrency, ms):
        log = self.log()
        process = self.start(name, concurrency, ms, log)
        try:
            yield log
        finally:
            process.kill()
            process.wait()

    def log(self):
        self.logs += 1
        path = self.folder / f"{self.logs}.log"
        path.touch()
        return path

    @staticmethod
    def runs(log, count):
        """Waits for `count` runs."""
        seen, quiet = -1, time.monotonic()
        while (size := os.stat(log).st_size // 32) < count:
            if size != seen:
                seen, quiet = size, time.monotonic()
            if SILENCE_SECONDS < time.monotonic() - quiet:
                raise Stalled(f"only {size} of {count} tasks ran")
            time.sleep(0.01)
        return records(log)

    def flush(self):
        call(self.port, "FLUSHALL")

    def memory(self):
        info = call(self.port, "INFO", "memory").decode()
        return int(info.split("used_memory:")[1].split("\r\n")[0])


def records(log):
    content = log.read_bytes()
    whole = content[: len(content) // 32 * 32]
    return [dict(zip(("id", "at", "started", "ended"), fields)) for fields in struct.iter_unpack("<4Q", whole)]


def machine():
    cpu = next((line.split(": ")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    version = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True).stdout.split()[2]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=HERE).stdout.strip()
    return {"cpu": cpu, "cores": os.cpu_count(), "redis": version, "commit": commit, "date": time.strftime("%F")}


def table(report):
    lines = [f"Redis {report['machine']['redis']}, AOF each second, {report['machine']['cores']} cores ({report['machine']['cpu']}), 450-byte payloads", ""]
    for ms in TASKS_MS:
        for concurrency in CONCURRENCY:
            cells = [cell for cell in report["cells"] if (cell["ms"], cell["concurrency"]) == (ms, concurrency)]
            if not cells:
                continue
            lines += [f"### {f'{ms} ms' if ms else 'no-op'} tasks, concurrency {concurrency}", "",
                      "| | tasks/s | of the best peer's | bytes waiting | load, /s | p50, ms | p99, ms |", "|---|---|---|---|---|---|---|"]
            for cell in cells:
                share = f"{cell['of_best_peer']:.2f}" if "of_best_peer" in cell else ""
                lines.append(row(cell["peer"], f"{cell['tasks_per_second']:.0f}", share, f"{cell['bytes_per_waiting_task']:.0f}", *half(cell["half_load"])))
            lines.append("")
    lines += [f"### A worker killed every {KILL['every']} s ({KILL['rate']} tasks/s of {KILL['ms']} ms, {KILL['workers']} workers of {KILL['concurrency']}, lease 5 s where it can be set)", "",
              "| | accepted | kills | lost | ran twice to the end | interrupted | of them recovered | recovery median, s | worst, s |", "|---|---|---|---|---|---|---|---|---|"]
    for it in report["kills"]:
        times = [f"{it[key]:.1f}" if it[key] is not None else "-" for key in ("recovery_median_s", "recovery_worst_s")]
        lines.append(row(it["peer"], it["accepted"], it["kills"], it["lost"], it["duplicated"], it["interrupted"], it["recovered"], *times))
    return "\n".join(lines)


def half(latency):
    return latency["rate"], f"{latency['p50_ms']:.2f}", f"{latency['p99_ms']:.2f}"


def row(*fields):
    return "| " + " | ".join(str(field) for field in fields) + " |"


if __name__ == "__main__":
    main()
