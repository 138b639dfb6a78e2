-- Tasks, what happened to them, and what they refer to: the tables of the embedded store. Moments are milliseconds since
-- the Unix epoch; flags are 0 or 1. Ids compare byte by byte, whatever the database's collation.

CREATE TABLE tasks (
    id                TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- UUID version 7: the order of ids is the order of acceptance
    team              TEXT   NOT NULL,
    agent             TEXT   NOT NULL,
    class             TEXT   NOT NULL,
    state             TEXT   NOT NULL,
    input             TEXT,
    documents         TEXT   NOT NULL,             -- JSON array of document ids
    idempotency_key   TEXT,
    request_sha256    TEXT,                        -- of what was asked, where there is a key
    accepted_at       BIGINT NOT NULL,
    queued_at         BIGINT,                      -- since when it has been ready for a worker
    due_at            BIGINT,
    deadline_at       BIGINT,
    started_at        BIGINT,
    finished_at       BIGINT,
    attempt           BIGINT NOT NULL DEFAULT 0,   -- only grows: the fencing token
    failures          BIGINT NOT NULL DEFAULT 0,
    losses            BIGINT NOT NULL DEFAULT 0,
    max_retries       BIGINT,
    worker_process    TEXT,
    worker_slot       BIGINT,
    lease_until       BIGINT,                      -- set exactly while running
    cancel_requested  BIGINT NOT NULL DEFAULT 0,
    stop_reason       TEXT,
    error             TEXT,
    output            TEXT,                        -- JSON
    prompt_tokens     BIGINT NOT NULL DEFAULT 0,
    completion_tokens BIGINT NOT NULL DEFAULT 0,
    steps             BIGINT NOT NULL DEFAULT 0,
    concurrency_key   TEXT,
    concurrency_limit BIGINT,
    callback_url      TEXT,
    cost              BIGINT NOT NULL DEFAULT 1,   -- estimated tokens
    CHECK ((state = 'running') = (lease_until IS NOT NULL)),
    CHECK ((state IN ('succeeded', 'failed', 'cancelled', 'dead')) = (finished_at IS NOT NULL))
) WITH (fillfactor = 80); -- a task's row changes a few times: room for that beside it

CREATE UNIQUE INDEX tasks_key ON tasks (team, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX tasks_state ON tasks (state, id);
CREATE INDEX tasks_team ON tasks (team, id);
CREATE INDEX tasks_agent ON tasks (agent, id);
CREATE INDEX tasks_queued ON tasks (class, queued_at) WHERE state = 'queued';
CREATE INDEX tasks_due ON tasks (due_at) WHERE state = 'scheduled';
CREATE INDEX tasks_leased ON tasks (lease_until) WHERE state = 'running';
CREATE INDEX tasks_deadline ON tasks (deadline_at) WHERE state IN ('queued', 'scheduled') AND deadline_at IS NOT NULL;
CREATE INDEX tasks_running_key ON tasks (team, concurrency_key) WHERE state = 'running' AND concurrency_key IS NOT NULL;
CREATE INDEX tasks_finished ON tasks (state, finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX tasks_dead_agent ON tasks (agent, id) WHERE state = 'dead';

-- How many tasks stand where, as a list of differences that is summed on reading and put together by the sweep: no
-- row of it is ever changed, so writers do not wait for each other.
CREATE TABLE task_figures (
    state TEXT   NOT NULL,
    class TEXT   NOT NULL,
    count BIGINT NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

CREATE FUNCTION task_figures_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO task_figures (state, class, count) SELECT state, class, COUNT(*) FROM after GROUP BY state, class;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO task_figures (state, class, count) SELECT state, class, -COUNT(*) FROM before GROUP BY state, class;
    ELSE
        INSERT INTO task_figures (state, class, count)
        SELECT state, class, SUM(difference)
        FROM (SELECT state, class, 1 AS difference FROM after
              UNION ALL SELECT state, class, -1 FROM before) AS differences
        GROUP BY state, class HAVING SUM(difference) <> 0;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER task_figures_insert AFTER INSERT ON tasks
    REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION task_figures_count();
CREATE TRIGGER task_figures_update AFTER UPDATE ON tasks
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION task_figures_count();
CREATE TRIGGER task_figures_delete AFTER DELETE ON tasks
    REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION task_figures_count();

-- Ids that the queue has to hear of: hints, so a task that is gone does no harm.
CREATE TABLE outbox (
    seq     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task_id TEXT COLLATE "C" NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- Events and steps name their task without a foreign key: the fence is looked at before each is written, and their rows
-- go before the task's.
CREATE TABLE task_events (
    seq     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task_id TEXT COLLATE "C" NOT NULL,
    at      BIGINT NOT NULL,
    kind    TEXT   NOT NULL,
    data    TEXT   NOT NULL -- JSON object
);
CREATE INDEX task_events_task ON task_events (task_id, seq);

CREATE TABLE steps (
    task_id           TEXT COLLATE "C" NOT NULL,
    ordinal           BIGINT NOT NULL,
    attempt           BIGINT NOT NULL,
    kind              TEXT   NOT NULL,
    started_at        BIGINT NOT NULL,
    duration_ms       BIGINT NOT NULL,
    prompt_tokens     BIGINT NOT NULL,
    completion_tokens BIGINT NOT NULL,
    summary           TEXT   NOT NULL, -- JSON object
    PRIMARY KEY (task_id, ordinal)
);

-- The bytes once per team, under as many names as were given.
CREATE TABLE document_contents (
    team   TEXT  NOT NULL,
    sha256 TEXT  NOT NULL,
    bytes  BYTEA NOT NULL,
    PRIMARY KEY (team, sha256)
);
CREATE TABLE documents (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    team       TEXT   NOT NULL,
    sha256     TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    media_type TEXT   NOT NULL,
    size_bytes BIGINT NOT NULL,
    stored_at  BIGINT NOT NULL,
    wanted_at  BIGINT NOT NULL DEFAULT 0, -- when it was last stored
    UNIQUE (team, sha256, name, media_type),
    FOREIGN KEY (team, sha256) REFERENCES document_contents (team, sha256)
);
CREATE INDEX documents_wanted ON documents (wanted_at);

-- Which documents are referred to, so that the others can be forgotten.
CREATE TABLE task_documents (
    document_id TEXT COLLATE "C" NOT NULL REFERENCES documents (id),
    task_id     TEXT COLLATE "C" NOT NULL REFERENCES tasks (id),
    PRIMARY KEY (document_id, task_id)
);
CREATE INDEX task_documents_task ON task_documents (task_id);

-- Dead letters that their mirror has not heard of.
CREATE TABLE dead_letters (
    seq     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task_id TEXT COLLATE "C" NOT NULL REFERENCES tasks (id)
);
CREATE INDEX dead_letters_task ON dead_letters (task_id);

CREATE TABLE webhooks (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    task_id    TEXT COLLATE "C" NOT NULL REFERENCES tasks (id),
    team       TEXT   NOT NULL,
    url        TEXT   NOT NULL,
    state      TEXT   NOT NULL,
    attempts   BIGINT NOT NULL DEFAULT 0,
    next_at    BIGINT,
    error      TEXT,
    created_at BIGINT NOT NULL,
    CHECK ((state = 'pending') = (next_at IS NOT NULL))
);
CREATE INDEX webhooks_task ON webhooks (task_id);
CREATE INDEX webhooks_team ON webhooks (team, created_at);
CREATE INDEX webhooks_due ON webhooks (next_at) WHERE state = 'pending';

CREATE TABLE teams (
    name   TEXT   NOT NULL PRIMARY KEY,
    weight BIGINT NOT NULL
);

CREATE TABLE api_keys (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    team       TEXT   NOT NULL REFERENCES teams (name),
    role       TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    sha256     TEXT   NOT NULL UNIQUE, -- of the whole key, which is never kept
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT
);

CREATE TABLE pauses (
    scope  TEXT   NOT NULL PRIMARY KEY,
    reason TEXT   NOT NULL,
    actor  TEXT   NOT NULL,
    since  BIGINT NOT NULL
);

CREATE TABLE processes (
    process    TEXT   NOT NULL PRIMARY KEY,
    role       TEXT   NOT NULL,
    slots      BIGINT NOT NULL,
    busy       BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL
);

CREATE TABLE audit (
    seq     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      BIGINT NOT NULL,
    actor   TEXT   NOT NULL,
    action  TEXT   NOT NULL,
    target  TEXT   NOT NULL,
    details TEXT   NOT NULL -- JSON object
);
CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END $$;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
