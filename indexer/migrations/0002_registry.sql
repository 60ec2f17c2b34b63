-- What operators enter. No rebuild of the ledger touches it. Times are Unix seconds of the wall clock.

CREATE TABLE workspaces (
    id         BLOB    PRIMARY KEY CHECK (length(id) = 16),
    slug       TEXT    NOT NULL UNIQUE,
    name       TEXT    NOT NULL,
    -- Several workspaces may share a wallet.
    wallet     BLOB    NOT NULL CHECK (length(wallet) = 20),
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A key itself is shown once, when it is made, and kept nowhere.
CREATE TABLE api_keys (
    id           BLOB    PRIMARY KEY CHECK (length(id) = 16),
    workspace_id BLOB    NOT NULL REFERENCES workspaces (id),
    -- SHA-256 of the whole key.
    key_hash     BLOB    NOT NULL UNIQUE CHECK (length(key_hash) = 32),
    -- The first 20 characters, to tell keys apart.
    prefix       TEXT    NOT NULL,
    -- What its holder calls it.
    label        TEXT    NOT NULL,
    -- Separated by single spaces.
    scopes       TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    -- Some seconds behind: reads do not wait for it.
    last_used_at INTEGER,
    -- It works for 60 seconds more.
    revoked_at   INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX api_keys_by_workspace ON api_keys (workspace_id);

-- Sessions whose price is known and whose payment is, or will be, on chain.
CREATE TABLE sessions (
    -- keccak256 of the UUID's canonical text: the chain's name for it.
    session_id            BLOB    PRIMARY KEY CHECK (length(session_id) = 32),
    uuid                  BLOB    NOT NULL UNIQUE CHECK (length(uuid) = 16),
    consumer_workspace_id BLOB    NOT NULL REFERENCES workspaces (id),
    operator_workspace_id BLOB    NOT NULL REFERENCES workspaces (id),
    -- µUSDC per second
    rate_per_second       INTEGER NOT NULL CHECK (rate_per_second >= 0),
    platform_fee_bps      INTEGER NOT NULL CHECK (platform_fee_bps BETWEEN 0 AND 2000),
    max_duration_seconds  INTEGER NOT NULL CHECK (max_duration_seconds >= 0),
    -- When it ran, in Unix milliseconds of the platform's clock; all three NULL while it has not
    -- ended. The cuts are a JSON list of {"from", "to"}.
    started_at            INTEGER,
    ended_at              INTEGER,
    disconnects           TEXT,
    -- The transaction that is said to pay it.
    reported_tx           BLOB    CHECK (length(reported_tx) = 32),
    created_at            INTEGER NOT NULL,
    CHECK ((started_at IS NULL) = (disconnects IS NULL)),
    CHECK ((ended_at IS NULL) = (disconnects IS NULL))
) STRICT, WITHOUT ROWID;
