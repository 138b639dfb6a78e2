//! What each command's help ends with: examples to copy, and what the command leaves to know.

pub(crate) const EXIT_CODES: &str = "Exit codes: 0 done · 1 a task failed, or a file has errors · 2 wrong usage or configuration · \
3 the server cannot be reached or cannot start · 4 the server refused the request · 130 interrupted";

pub(crate) const DEMO: &str = "\
Examples:
  talon demo                             documents, results, expected values; ends by itself
  talon demo --keep                      then serves on, to look at with curl
  talon demo --json > demo.json          for scripts
  talon demo --model mistral-7b.gguf     the same with a real model

Needs nothing and leaves nothing behind: it runs in a temporary folder, on free ports.";

pub(crate) const SERVE: &str = "\
Examples:
  talon serve                            defaults: 127.0.0.1:8400, the bundled model, five agents
  talon serve --config talon.yml         your models, agents and limits
  talon serve --listen 127.0.0.1:0       on a free port, which it prints
  TALON_DATA_DIR=/var/lib/talon talon serve

Ctrl-C or SIGTERM ends it in order: running tasks are finished or given back. A second one ends it at once.
Nothing that was accepted is lost either way.";

pub(crate) const SUBMIT: &str = "\
Examples:
  talon task submit --agent customer-query-routing \"I was charged twice.\" --wait
  talon task submit --agent document-summarization --document memo.pdf --wait
  git diff | talon task submit --agent code-review-triage - --wait --json
  talon task submit --agent data-extraction --document inv.pdf --idempotency-key inv-0113

Without --wait it prints the task's id alone. With it, the exit code is 1 when the task has no result.";

pub(crate) const ENQUEUE: &str = "\
Examples:
  talon enqueue --agent data-extraction invoices/ --out results.csv
  talon enqueue --agent document-summarization memos/*.pdf --out results.jsonl
  talon enqueue --agent report-generation tables/ --json

A file that fails has a row that says why, and the others go on; the exit code is then 1. A server that is away is
waited for, up to 90 seconds, and no file becomes two tasks by that. After Ctrl-C the tasks stay on the server, and the
rows have their ids.";

pub(crate) const VALIDATE: &str = "\
Examples:
  talon agent validate                   what `talon serve` would load from here
  talon agent validate agents/           a folder, or files by name
  talon agent validate --config talon.yml
  talon agent validate --json | jq .     file, line, column, message, hint";

pub(crate) const EVAL: &str = "\
Examples:
  talon eval                             config/evals/*.jsonl below this folder
  talon eval config/evals/data-extraction.jsonl --failures
  talon eval --config talon.yml --json

A line of a file: {\"id\": \"1\", \"split\": \"held-out\", \"input\": \"…\", \"documents\": [], \"expected\": {\"json\": {…}}}.
`expected` is json (every field), text (every line) or facts (all of these, and no invented number).";
