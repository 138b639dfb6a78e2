// The official `openai` package against a running server. Every check is a claim about the server; what the bundled
// model says is nobody's claim.
//
//     TALON_URL        a server
//     TALON_SMALL_URL  a server that runs one request and lets one wait
//     TALON_FLAKY_URL  a way to the first that answers its first two chats with 503
//
// Names the checks that fail on standard error, and ends with 1 when there are any.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import OpenAI from "openai";
import { LengthFinishReasonError } from "openai/core/error";
import { zodFunction, zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

const { TALON_URL: URL, TALON_SMALL_URL: SMALL_URL, TALON_FLAKY_URL: FLAKY_URL } = process.env;

const Line = z.object({ item: z.string().max(8), count: z.number().int().min(1).max(99) });
const Order = z.object({
  zone: z.enum(["north", "south"]),
  express: z.boolean(),
  lines: z.array(Line).min(1).max(2),
});
const Weigh = z.object({ count: z.number().int().min(1).max(99) });
const Ship = z.object({ zone: z.enum(["north", "south"]) });
const TYPES = { Weigh, Ship };

const schema = (form) => ({ type: "json_schema", json_schema: { name: "answer", schema: form } });
const DIGIT = { type: "integer", minimum: 0, maximum: 9 };
const USER = [{ role: "user", content: "Send two boxes of nails to the north." }];
const CHAT = { model: "pocket", messages: USER, temperature: 0, max_tokens: 40 };
const SHORT = { ...CHAT, response_format: schema({ type: "array", items: DIGIT, minItems: 3, maxItems: 3 }) };
// Goes on for as long as the context lasts; drawn at random, so that no digit can be foreseen.
const ENDLESS = {
  ...CHAT,
  response_format: schema({ type: "array", items: DIGIT, minItems: 5000 }),
  temperature: 2,
  max_tokens: 5000,
};
const TOOLS = {
  model: "pocket",
  messages: USER,
  tools: Object.entries(TYPES).map(([name, parameters]) => zodFunction({ name, parameters })),
};

const connect = (url, options) => new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0, ...options });
const client = connect(URL);
const chats = client.chat.completions;

async function metric(url, name, label = "") {
  const lines = (await (await fetch(`${url}/metrics`)).text()).split("\n");
  const named = lines.filter((line) => [`${name} `, `${name}{`].some((start) => line.startsWith(start)));
  return named.filter((line) => line.includes(label)).reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}
const aborted = (url) => metric(url, "openclaw_engine_request_success_total", 'finish="aborted"');
const running = (url) => metric(url, "openclaw_engine_requests_running");
const waiting = (url) => metric(url, "openclaw_engine_requests_waiting");
const atRest = async (url) => (await running(url)) + (await waiting(url)) === 0;

async function until(isSo) {
  while (!(await isSo()));
}

/** The error of exactly this class that a promise has to end with. */
async function fails(kind, promise) {
  const error = await promise.then(
    () => assert.fail(`there was no ${kind.name}`),
    (error) => error,
  );
  assert.equal(error.constructor, kind, String(error));
  return error;
}

async function models_are_listed_and_found_by_name() {
  assert((await client.models.list()).data.some((model) => model.id === "pocket"));
  assert.equal((await client.models.retrieve("pocket")).id, "pocket");
}

async function a_chat_is_answered() {
  const { choices, usage } = await chats.create(SHORT);
  assert.equal(choices[0].finish_reason, "stop");
  assert.equal(JSON.parse(choices[0].message.content).length, 3);
  assert(usage.completion_tokens > 0 && usage.prompt_tokens > 0);
  assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
}

async function an_answer_without_an_end_is_cut_by_length() {
  const { choices, usage } = await chats.create({ ...ENDLESS, max_tokens: 7 });
  assert.equal(choices[0].finish_reason, "length");
  assert.equal(usage.completion_tokens, 7);
}

async function a_stream_adds_up_to_the_whole_answer() {
  const whole = await chats.create(SHORT);
  const stream = chats.stream({ ...SHORT, stream_options: { include_usage: true } });
  const deltas = [];
  stream.on("content", (delta) => deltas.push(delta));
  const final = await stream.finalChatCompletion();
  assert.equal(final.choices[0].message.content, whole.choices[0].message.content);
  assert.equal(deltas.join(""), whole.choices[0].message.content);
  assert.equal(final.choices[0].finish_reason, "stop");
  assert.deepEqual(final.usage, whole.usage);
  assert(deltas.length > 1);
}

async function several_answers_come_whole_and_streamed() {
  const asked = { ...SHORT, n: 2, temperature: 2, seed: 7 };
  const contents = ({ choices }) => choices.map((choice) => choice.message.content);
  const whole = contents(await chats.create(asked));
  assert.equal(whole.length, 2);
  assert.deepEqual(contents(await chats.stream(asked).finalChatCompletion()), whole);
}

async function log_probabilities_belong_to_the_text() {
  const { choices } = await chats.create({ ...SHORT, logprobs: true, top_logprobs: 2 });
  const tokens = choices[0].logprobs.content;
  const bytes = Buffer.concat(tokens.map((token) => Buffer.from(token.bytes)));
  assert.equal(bytes.toString(), choices[0].message.content);
  assert(tokens.every((token) => token.logprob <= 0 && token.top_logprobs.length === 2));
}

async function a_text_is_completed() {
  const asked = { model: "pocket", prompt: "Dear", max_tokens: 5, temperature: 0 };
  const whole = await client.completions.create(asked);
  let pieces = "";
  const stream = await client.completions.create({ ...asked, stream: true });
  for await (const chunk of stream) pieces += chunk.choices[0].text;
  assert.equal(pieces, whole.choices[0].text);
}

async function a_tool_may_be_called_or_not() {
  const { choices } = await chats.create({ ...TOOLS, tool_choice: "auto" });
  assert.equal(choices[0].finish_reason === "tool_calls", Boolean(choices[0].message.tool_calls?.length));
}

async function a_required_tool_is_called_by_its_schema() {
  const { choices } = await chats.parse({ ...TOOLS, tool_choice: "required" });
  assert.equal(choices[0].finish_reason, "tool_calls");
  assert(choices[0].message.tool_calls.length > 0);
  for (const { function: called } of choices[0].message.tool_calls) TYPES[called.name].parse(called.parsed_arguments);
}

/** Has the package run the tools that the model asks for, so many times at most, and gives the calls. */
async function runTools(tool_choice, maxChatCompletions) {
  const called = [];
  const tool = ([name, parameters]) =>
    zodFunction({ name, parameters, function: (given) => called.push({ name, given }) });
  const asked = { ...TOOLS, tools: Object.entries(TYPES).map(tool), tool_choice };
  await chats.runTools(asked, { maxChatCompletions }).done();
  for (const { name, given } of called) TYPES[name].parse(given);
  return called.map(({ name }) => name);
}

async function the_named_tool_is_run() {
  for (const name of Object.keys(TYPES)) {
    assert.deepEqual(await runTools({ type: "function", function: { name } }, 1), [name]);
  }
}

async function tools_are_run_again_and_again() {
  assert((await runTools("required", 3)).length >= 3);
}

async function calls_in_parallel_are_several_or_one() {
  const one = await chats.create({ ...TOOLS, tool_choice: "required", parallel_tool_calls: false });
  assert.equal(one.choices[0].message.tool_calls.length, 1);
  const several = await chats.create({ ...TOOLS, tool_choice: "required", parallel_tool_calls: true });
  const ids = several.choices[0].message.tool_calls.map((call) => call.id);
  assert(ids.length > 0);
  assert.equal(new Set(ids).size, ids.length);
}

async function a_streamed_call_adds_up_to_its_arguments() {
  const [deltas, done] = [[], []];
  const stream = chats.stream({ ...TOOLS, tool_choice: "required" });
  const add = ({ index, arguments_delta }) => (deltas[index] = (deltas[index] ?? "") + arguments_delta);
  stream.on("tool_calls.function.arguments.delta", add);
  stream.on("tool_calls.function.arguments.done", ({ index, arguments: whole }) => (done[index] = whole));
  const { choices } = await stream.finalChatCompletion();
  const calls = choices[0].message.tool_calls;
  assert.deepEqual(calls.map((call) => call.function.arguments), done);
  assert.deepEqual(deltas, done);
  for (const { id, function: called } of calls) {
    assert(id);
    TYPES[called.name].parse(JSON.parse(called.arguments));
  }
  assert.equal(choices[0].finish_reason, "tool_calls");
}

async function a_conversation_goes_on_after_a_tool() {
  const { message } = (await chats.create({ ...TOOLS, tool_choice: "required" })).choices[0];
  const results = message.tool_calls.map(({ id }) => ({ role: "tool", tool_call_id: id, content: '{"kg": 3}' }));
  const asked = { ...TOOLS, messages: [...USER, message, ...results], tool_choice: "none", max_tokens: 5 };
  assert.equal(typeof (await chats.create(asked)).choices[0].message.content, "string");
}

async function an_answer_is_parsed_into_its_type() {
  const asked = { ...CHAT, max_tokens: 200, response_format: zodResponseFormat(Order, "order") };
  const { parsed } = (await chats.parse(asked)).choices[0].message;
  assert.deepEqual(Order.parse(parsed), parsed);
  assert.deepEqual((await chats.stream(asked).finalChatCompletion()).choices[0].message.parsed, parsed);
  await fails(LengthFinishReasonError, chats.parse({ ...asked, max_tokens: 3 }));
}

async function every_error_has_its_class() {
  const user = (content) => ({ messages: [{ role: "user", content }] });
  for (const [changes, param, code] of [
    [{ temperature: -1 }, "temperature", "invalid_value"],
    [{ temperature: -1, stream: true }, "temperature", "invalid_value"],
    [{ mood: 1 }, "mood", "unknown_parameter"],
    [user("word ".repeat(5000)), "messages", "context_length_exceeded"],
  ]) {
    const error = await fails(OpenAI.BadRequestError, chats.create({ ...CHAT, ...changes }));
    assert.deepEqual([error.param, error.code, error.type], [param, code, "invalid_request_error"]);
  }
  const error = await fails(OpenAI.NotFoundError, chats.create({ ...CHAT, model: "gpt-4o" }));
  assert.equal(error.code, "model_not_found");
  await fails(OpenAI.NotFoundError, client.embeddings.create({ model: "pocket", input: "x" }));
  assert.equal((await fails(OpenAI.APIError, chats.create({ ...CHAT, user: "x".repeat(9 << 20) }))).status, 413);
  const late = await fails(OpenAI.InternalServerError, chats.create({ ...ENDLESS, deadline_ms: 50 }));
  assert.deepEqual([late.status, late.code], [504, "deadline_passed"]);
  const broken = await chats.create({ ...ENDLESS, stream: true, deadline_ms: 50 });
  const read = async () => {
    for await (const _ of broken);
  };
  assert.equal((await fails(OpenAI.APIError, read())).code, "deadline_passed");
  const rude = createServer((caller) => caller.destroy()).listen(0, "127.0.0.1");
  await once(rude, "listening");
  const { port } = rude.address();
  await fails(OpenAI.APIConnectionError, connect(`http://127.0.0.1:${port}`).chat.completions.create(SHORT));
  rude.close();
}

async function a_failing_server_is_asked_again() {
  const error = await fails(OpenAI.InternalServerError, connect(FLAKY_URL).chat.completions.create(SHORT));
  assert.equal(error.status, 503);
  const { choices } = await connect(FLAKY_URL, { maxRetries: 2 }).chat.completions.create(SHORT);
  assert.equal(choices[0].finish_reason, "stop");
}

async function a_full_server_is_asked_again_when_it_says() {
  const refused = [];
  let callers = new AbortController();
  const noting = async (...request) => {
    const response = await fetch(...request);
    if (response.status === 429) {
      refused.push(Number(response.headers.get("retry-after")));
      callers.abort();
    }
    return response;
  };
  const hasty = connect(SMALL_URL).chat.completions;
  const patient = connect(SMALL_URL, { maxRetries: 9, fetch: noting }).chat.completions;
  while (refused.length === 0) {
    callers = new AbortController();
    const calls = Array.from({ length: 6 }, () => hasty.create(ENDLESS, { signal: callers.signal }));
    // The first to end is refused: from then on the server is full.
    const error = await fails(OpenAI.RateLimitError, Promise.race(calls));
    assert.equal(error.code, "overloaded");
    const [answer] = await Promise.all([patient.create(SHORT), Promise.allSettled(calls)]);
    assert.equal(answer.choices[0].finish_reason, "stop");
  }
  assert(refused.every((seconds) => seconds >= 1));
  await until(() => atRest(SMALL_URL));
}

/** Leaves long answers until the server has given one up; a slow caller may come too late for the first. */
async function stopsTheModel(leave) {
  const before = await aborted(URL);
  for (let tries = 0; tries < 20; tries++) {
    await leave();
    await until(() => atRest(URL));
    if ((await aborted(URL)) > before) return;
  }
  assert.fail("the model went on to the end each time");
}

async function an_abandoned_stream_stops_the_model() {
  await stopsTheModel(async () => {
    for await (const _ of await chats.create({ ...ENDLESS, stream: true })) break;
  });
  await stopsTheModel(async () => {
    const stream = chats.stream(ENDLESS);
    stream.once("content", () => stream.abort());
    await fails(OpenAI.APIUserAbortError, stream.done());
  });
}

async function a_caller_who_waits_no_longer_stops_the_model() {
  await stopsTheModel(async () => {
    await fails(OpenAI.APIConnectionTimeoutError, chats.create({ ...ENDLESS, n: 8 }, { timeout: 200 }));
  });
}

const CHECKS = [
  models_are_listed_and_found_by_name,
  a_chat_is_answered,
  an_answer_without_an_end_is_cut_by_length,
  a_stream_adds_up_to_the_whole_answer,
  several_answers_come_whole_and_streamed,
  log_probabilities_belong_to_the_text,
  a_text_is_completed,
  a_tool_may_be_called_or_not,
  a_required_tool_is_called_by_its_schema,
  the_named_tool_is_run,
  tools_are_run_again_and_again,
  calls_in_parallel_are_several_or_one,
  a_streamed_call_adds_up_to_its_arguments,
  a_conversation_goes_on_after_a_tool,
  an_answer_is_parsed_into_its_type,
  every_error_has_its_class,
  a_failing_server_is_asked_again,
  a_full_server_is_asked_again_when_it_says,
  an_abandoned_stream_stops_the_model,
  a_caller_who_waits_no_longer_stops_the_model,
];

for (const check of CHECKS) {
  try {
    await check();
  } catch (error) {
    process.exitCode = 1;
    console.error(`FAILED ${check.name}\n${error.stack}`);
  }
}
