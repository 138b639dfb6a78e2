-- Tasks, what happened to them, and what they refer to. Moments are milliseconds since the Unix epoch.

CREATE TABLE tasks (
    id                TEXT    NOT NULL PRIMARY KEY, -- UUID version 7: the order of ids is the order of acceptance
    team              TEXT    NOT NULL,
    agent             TEXT    NOT NULL,
    class             TEXT    NOT NULL,
    state             TEXT    NOT NULL,
    input             TEXT,
    documents         TEXT    NOT NULL,             -- JSON array of document ids
    idempotency_key   TEXT,
    request_sha256    TEXT,                         -- of what was asked, where there is a key
    accepted_at       INTEGER NOT NULL,
    queued_at         INTEGER,                      -- since when it has been ready for a worker
    due_at            INTEGER,
    deadline_at       INTEGER,
    started_at        INTEGER,
    finished_at       INTEGER,
    attempt           INTEGER NOT NULL DEFAULT 0,   -- only grows: the fencing token
    failures          INTEGER NOT NULL DEFAULT 0,
    losses            INTEGER NOT NULL DEFAULT 0,
    max_retries       INTEGER,
    worker_process    TEXT,
    worker_slot       INTEGER,
    lease_until       INTEGER,                      -- set exactly while running
    cancel_requested  INTEGER NOT NULL DEFAULT 0,
    stop_reason       TEXT,
    error             TEXT,
    output            TEXT,                         -- JSON
    prompt_tokens     INTEGER NOT NULL DEFAULT 0,
    completion_tokens INTEGER NOT NULL DEFAULT 0,
    steps             INTEGER NOT NULL DEFAULT 0,
    CHECK ((state = 'running') = (lease_until IS NOT NULL)),
    CHECK ((state IN ('succeeded', 'failed', 'cancelled', 'dead')) = (finished_at IS NOT NULL))
) STRICT;

CREATE UNIQUE INDEX tasks_key ON tasks (team, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX tasks_state ON tasks (state, id);
CREATE INDEX tasks_team ON tasks (team, id);
CREATE INDEX tasks_agent ON tasks (agent, id);
CREATE INDEX tasks_queued ON tasks (class, queued_at) WHERE state = 'queued';
CREATE INDEX tasks_due ON tasks (due_at) WHERE state = 'scheduled';
CREATE INDEX tasks_leased ON tasks (lease_until) WHERE state = 'running';
CREATE INDEX tasks_deadline ON tasks (deadline_at) WHERE state IN ('queued', 'scheduled') AND deadline_at IS NOT NULL;

-- How many tasks stand where, kept up to date so that no one has to count rows.
CREATE TABLE task_figures (
    state TEXT    NOT NULL,
    class TEXT    NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (state, class)
) STRICT, WITHOUT ROWID;

INSERT INTO task_figures (state, class, count)
SELECT states.column1, classes.column1, 0
FROM (VALUES ('queued'), ('scheduled'), ('running'), ('awaiting_approval'),
             ('succeeded'), ('failed'), ('cancelled'), ('dead')) AS states,
     (VALUES ('interactive'), ('normal'), ('batch')) AS classes;

CREATE TRIGGER task_figures_insert AFTER INSERT ON tasks BEGIN
    UPDATE task_figures SET count = count + 1 WHERE state = new.state AND class = new.class;
END;
CREATE TRIGGER task_figures_update AFTER UPDATE OF state ON tasks WHEN old.state <> new.state BEGIN
    UPDATE task_figures SET count = count - 1 WHERE state = old.state AND class = old.class;
    UPDATE task_figures SET count = count + 1 WHERE state = new.state AND class = new.class;
END;

-- Ids that the queue has to hear of.
CREATE TABLE outbox (
    seq     INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    task_id TEXT    NOT NULL REFERENCES tasks (id),
    class   TEXT    NOT NULL
) STRICT;

CREATE TABLE task_events (
    seq     INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    task_id TEXT    NOT NULL REFERENCES tasks (id),
    at      INTEGER NOT NULL,
    kind    TEXT    NOT NULL,
    data    TEXT    NOT NULL -- JSON object
) STRICT;
CREATE INDEX task_events_task ON task_events (task_id, seq);

CREATE TABLE steps (
    task_id           TEXT    NOT NULL REFERENCES tasks (id),
    ordinal           INTEGER NOT NULL,
    attempt           INTEGER NOT NULL,
    kind              TEXT    NOT NULL,
    started_at        INTEGER NOT NULL,
    duration_ms       INTEGER NOT NULL,
    prompt_tokens     INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    summary           TEXT    NOT NULL, -- JSON object
    PRIMARY KEY (task_id, ordinal)
) STRICT, WITHOUT ROWID;

-- The bytes once per team, under as many names as were given.
CREATE TABLE document_contents (
    team   TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    bytes  BLOB NOT NULL,
    UNIQUE (team, sha256)
) STRICT;
CREATE TABLE documents (
    id         TEXT    NOT NULL PRIMARY KEY,
    team       TEXT    NOT NULL,
    sha256     TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    media_type TEXT    NOT NULL,
    size_bytes INTEGER NOT NULL,
    stored_at  INTEGER NOT NULL,
    UNIQUE (team, sha256, name, media_type),
    FOREIGN KEY (team, sha256) REFERENCES document_contents (team, sha256)
) STRICT;

CREATE TABLE audit (
    seq     INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    actor   TEXT    NOT NULL,
    action  TEXT    NOT NULL,
    target  TEXT    NOT NULL,
    details TEXT    NOT NULL -- JSON object
) STRICT;
CREATE TRIGGER audit_is_append_only_update BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
CREATE TRIGGER audit_is_append_only_delete BEFORE DELETE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
