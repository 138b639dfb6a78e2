-- Keys that limit how many tasks run at once, messages to callers, access, pauses, processes, and forgetting.

ALTER TABLE tasks ADD COLUMN concurrency_key TEXT;
ALTER TABLE tasks ADD COLUMN concurrency_limit INTEGER;
ALTER TABLE tasks ADD COLUMN callback_url TEXT;
ALTER TABLE tasks ADD COLUMN cost INTEGER NOT NULL DEFAULT 1; -- estimated tokens

CREATE INDEX tasks_running_key ON tasks (team, concurrency_key) WHERE state = 'running' AND concurrency_key IS NOT NULL;
CREATE INDEX tasks_finished ON tasks (state, finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX tasks_dead_agent ON tasks (agent, id) WHERE state = 'dead';

CREATE TRIGGER task_figures_delete AFTER DELETE ON tasks BEGIN
    UPDATE task_figures SET count = count - 1 WHERE state = old.state AND class = old.class;
END;

-- Made anew without its class, which the task has. What stood in it is found by reading the queued tasks.
DROP TABLE outbox;
CREATE TABLE outbox (
    seq     INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    task_id TEXT    NOT NULL -- hints: a task that is gone does no harm
) STRICT;

-- Which documents are referred to, so that the others can be forgotten.
CREATE TABLE task_documents (
    document_id TEXT NOT NULL REFERENCES documents (id),
    task_id     TEXT NOT NULL REFERENCES tasks (id),
    PRIMARY KEY (document_id, task_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX task_documents_task ON task_documents (task_id);
INSERT OR IGNORE INTO task_documents (document_id, task_id)
SELECT document.value, tasks.id FROM tasks, json_each(tasks.documents) AS document;

ALTER TABLE documents ADD COLUMN wanted_at INTEGER NOT NULL DEFAULT 0; -- when it was last stored
UPDATE documents SET wanted_at = stored_at;
CREATE INDEX documents_wanted ON documents (wanted_at);

-- Dead letters that their mirror has not heard of.
CREATE TABLE dead_letters (
    seq     INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    task_id TEXT    NOT NULL REFERENCES tasks (id)
) STRICT;
CREATE INDEX dead_letters_task ON dead_letters (task_id);
INSERT INTO dead_letters (task_id) SELECT id FROM tasks WHERE state = 'dead' ORDER BY finished_at;

CREATE TABLE webhooks (
    id         TEXT    NOT NULL PRIMARY KEY,
    task_id    TEXT    NOT NULL REFERENCES tasks (id),
    team       TEXT    NOT NULL,
    url        TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    next_at    INTEGER,
    error      TEXT,
    created_at INTEGER NOT NULL,
    CHECK ((state = 'pending') = (next_at IS NOT NULL))
) STRICT;
CREATE INDEX webhooks_task ON webhooks (task_id);
CREATE INDEX webhooks_team ON webhooks (team, created_at);
CREATE INDEX webhooks_due ON webhooks (next_at) WHERE state = 'pending';

CREATE TABLE teams (
    name   TEXT    NOT NULL PRIMARY KEY,
    weight INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE api_keys (
    id         TEXT    NOT NULL PRIMARY KEY,
    team       TEXT    NOT NULL REFERENCES teams (name),
    role       TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    sha256     TEXT    NOT NULL UNIQUE, -- of the whole key, which is never kept
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT;

CREATE TABLE pauses (
    scope  TEXT    NOT NULL PRIMARY KEY,
    reason TEXT    NOT NULL,
    actor  TEXT    NOT NULL,
    since  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE processes (
    process    TEXT    NOT NULL PRIMARY KEY,
    role       TEXT    NOT NULL,
    slots      INTEGER NOT NULL,
    busy       INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
