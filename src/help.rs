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
  TALON_DATABASE_URL=postgres://… TALON_REDIS_URL=redis://… talon serve --role worker

api, worker and engine are parts of one installation: any number of each, on the same PostgreSQL and Redis (an engine
needs neither). A server that is away at the start is waited for, and /readyz says so; while running, it may go and come.
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
  talon enqueue --ndjson tasks.jsonl --out results.jsonl
  zcat messages.jsonl.gz | talon enqueue --agent customer-query-routing --ndjson - --out results.csv

A file that fails has a row that says why, and the others go on; the exit code is then 1. A server that is away is
waited for, up to 90 seconds, and no file becomes two tasks by that. After Ctrl-C, or whatever else ends it, the tasks
stay on the server, and the same command goes on where it was: results.csv.run keeps the run until all of it has ended.
A file that has changed since is a new task.";

pub(crate) const KEY: &str = "\
Examples:
  TALON_API_KEY=$TALON_ADMIN_KEY talon key create --team sales --role submitter --name nightly > key
  talon key create --team default --role operator --name prometheus --expires-in 90d
  TALON_API_KEY=$(cat key) talon task list

The key alone goes to standard output. A server that was started with TALON_ADMIN_KEY takes that for an administrator's.";

pub(crate) const REQUEUE: &str = "\
Examples:
  talon dlq requeue 01980c9e-8f4b-7d1e-a1b0-3f6f2c9d4e55
  talon dlq requeue 01980c9e-8f4b-7d1e-a1b0-3f6f2c9d4e55 --input \"Shorter, please.\" --agent document-summarization
  talon dlq requeue --reason tool_error --dry-run
  talon dlq requeue --of-agent data-extraction --older-than 1h --yes

Counters begin anew, and a deadline that has passed is dropped.";

pub(crate) const VALIDATE: &str = "\
Examples:
  talon agent validate                   what `talon serve` would load from here
  talon agent validate agents/           a folder, or files by name
  talon agent validate --config talon.yml
  talon agent validate --json | jq .     file, line, column, message, hint";

pub(crate) const CHAT: &str = "\
Examples:
  talon chat                             the first model of talon.yml, or the bundled one
  talon chat mistral --system \"Answer in French.\"
  talon chat mistral-7b.gguf --temperature 0
  talon chat --url http://127.0.0.1:8400 the same on a server that runs
  printf 'Hello\\nAnd in German?\\n' | talon chat --json | jq -r .reply

/help lists what can be said to the program instead of the model. Ctrl-C stops a reply; twice, or Ctrl-D, leaves. Where
standard input is no terminal, each line is a turn, standard output has the replies alone, and the first failure ends it.";

pub(crate) const PULL: &str = "\
Examples:
  talon model pull                       every model of talon.yml that is on the hub
  talon model pull mistral               one of them, by its name there
  talon model pull org/name:model-Q4_K_M.gguf
  talon model pull mistral --update      what the hub has now, in place of what was pinned
  HF_TOKEN=hf_… talon model pull org/private
  HF_ENDPOINT=https://mirror.example talon model pull mistral

A pull that breaks goes on where it was, also in the next run. What came is pinned by its SHA-256 in models.lock below
the data folder; another file under the same name is an error from then on, in a pull as at the start of a server.";

pub(crate) const INSPECT: &str = "\
Examples:
  talon model inspect mistral-7b.gguf
  talon model inspect mistral-7b.gguf --context 131072     32 sequences of 4,096 tokens each
  talon model inspect mistral-7b.gguf --tensors --json | jq '.tensors[].format'

It reads the header alone, at any size. Memory is that of weights, keys and values; buffers are small beside them.";

pub(crate) const VERIFY: &str = "\
Examples:
  talon model verify mistral-7b.gguf
  talon model verify mistral-7b.gguf --sha256 $(cut -d' ' -f1 mistral-7b.gguf.sha256)
  talon model verify mistral-7b.gguf --json | jq -e .fine

It reads everything, loads the model with the packed backend and with candle, one after the other, and lets both write a
few tokens: their logits must be finite and agree. Candle needs about twice the file's size of memory. The exit code is 1
when something is wrong.";

pub(crate) const BENCH: &str = "\
Examples:
  talon model bench                      the bundled model
  talon model bench mistral-7b.gguf --long
  talon model bench mistral-7b.gguf --kv int8 --threads 8 --runs 9
  talon model bench mistral-7b.gguf --json > bench.json

Prefill reads one prompt; decode x 8 writes in eight sequences at once, and counts the tokens of all. The limit of a row
is what the machine allows at most: two operations per weight and token, as fast as its 8-bit instructions go, or the
weights, keys and values of a step, as fast as memory gives them, whichever takes longer. Both are measured first. Leave
the machine alone meanwhile.";

pub(crate) const SYNTH: &str = "\
Examples:
  talon model synth --shape 1b --format q4_k_m 1b.gguf
  talon model synth --shape 7b --format q4_0 7b.gguf        4 GB
  talon model synth --shape small --format f32 --seed 7 small.gguf

Such a model answers noise, as fast as a trained one of the same shape and format.";

pub(crate) const EVAL: &str = "\
Examples:
  talon eval                             config/evals/*.jsonl below this folder
  talon eval config/evals/data-extraction.jsonl --failures
  talon eval --config talon.yml --json

A line of a file: {\"id\": \"1\", \"split\": \"held-out\", \"input\": \"…\", \"documents\": [], \"expected\": {\"json\": {…}}}.
`expected` is json (every field), text (every line) or facts (all of these, and no invented number).";
