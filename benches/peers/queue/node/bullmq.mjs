// BullMQ for Node.

import { openSync, writeSync } from "node:fs";
import { parseArgs } from "node:util";
import { Queue, Worker } from "bullmq";

const PAYLOAD_BYTES = 450;
const LEASE_MS = 5000;
const BULK = 500;

const { values: options, positionals: [role] } = parseArgs({
  allowPositionals: true,
  options: {
    redis: { type: "string" }, count: { type: "string" }, first: { type: "string", default: "0" }, rate: { type: "string", default: "0" },
    concurrency: { type: "string" }, ms: { type: "string" }, log: { type: "string" }, starts: { type: "boolean" },
  },
});
const url = new URL(options.redis);
const connection = { host: url.hostname, port: Number(url.port), maxRetriesPerRequest: null };
await (role === "produce" ? produce(Number(options.first), Number(options.count), Number(options.rate)) : work());

function now() {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
}

// A task: as JSON it has 450 bytes. `at`: when its caller gave it to the queue, in nanoseconds since 1970.
function payload(id) {
  const at = now().toString();
  const bare = JSON.stringify({ id, at, text: "" }).length;
  return { id, at, text: "x".repeat(PAYLOAD_BYTES - bare) };
}

async function produce(first, count, rate) {
  const queue = new Queue("bench", { connection });
  if (rate === 0) {
    for (let start = 0; start < count; start += BULK) {
      const ids = Array.from({ length: Math.min(BULK, count - start) }, (_, index) => first + start + index);
      await queue.addBulk(ids.map((id) => ({ name: "task", data: payload(id) })));
    }
  } else {
    const start = performance.now();
    const calls = [];
    for (let id = 0; id < count; id++) {
      const wait = start + (id * 1000) / rate - performance.now();
      if (wait >= 1) await new Promise((due) => setTimeout(due, wait));
      calls.push(queue.add("task", payload(first + id)));
    }
    await Promise.all(calls);
  }
  await queue.close();
}

async function work() {
  const log = openSync(options.log, "a");
  const ms = Number(options.ms);
  // 32 bytes: id, given, started, ended (0 at the start). One call to the system: a kill loses none.
  const record = (task, started, ended) => {
    const fields = BigUint64Array.of(BigInt(task.id), BigInt(task.at), started, ended);
    writeSync(log, new Uint8Array(fields.buffer));
  };
  const run = async ({ data }) => {
    const started = now();
    if (options.starts) record(data, started, 0n);
    if (ms) await new Promise((done) => setTimeout(done, ms));
    record(data, started, now());
  };
  const worker = new Worker("bench", run, {
    connection,
    concurrency: Number(options.concurrency),
    lockDuration: LEASE_MS,
    stalledInterval: LEASE_MS / 2,
    maxStalledCount: 100,
    removeOnComplete: { count: 0 },
  });
  worker.on("error", (error) => console.error(error));
}
