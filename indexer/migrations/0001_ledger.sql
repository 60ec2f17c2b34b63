-- The ledger: a cache of the chain. Every row comes from the chain and from nothing else, so two
-- databases that followed the same blocks hold the same rows. Amounts are µUSDC; addresses, hashes
-- and session ids are raw bytes; times are Unix seconds of the chain's clock.

-- What this database follows. Written once; a daemon that is told otherwise is refused.
CREATE TABLE deployment (
    id           INTEGER PRIMARY KEY CHECK (id = 1),
    chain_id     INTEGER NOT NULL,
    genesis_hash BLOB    NOT NULL CHECK (length(genesis_hash) = 32),
    settlement   BLOB    NOT NULL CHECK (length(settlement) = 20),
    usdc         BLOB    NOT NULL CHECK (length(usdc) = 20),
    code_hash    BLOB    NOT NULL CHECK (length(code_hash) = 32),
    deploy_block INTEGER NOT NULL CHECK (deploy_block >= 0)
) STRICT;

-- The blocks whose hash must be known: those that hold events, and all from the final one to the last.
CREATE TABLE blocks (
    number    INTEGER PRIMARY KEY CHECK (number >= 0),
    hash      BLOB    NOT NULL CHECK (length(hash) = 32),
    timestamp INTEGER NOT NULL CHECK (timestamp >= 0)
) STRICT;

-- How far the ledger has come. It moves in the transaction that writes the rows.
CREATE TABLE cursor (
    id           INTEGER PRIMARY KEY CHECK (id = 1),
    block_number INTEGER NOT NULL REFERENCES blocks (number),
    -- The last block that is safe: only a reorg of the layer below replaces it.
    safe_block   INTEGER NOT NULL REFERENCES blocks (number) CHECK (safe_block <= block_number),
    -- No rollback goes below this block.
    final_block  INTEGER NOT NULL REFERENCES blocks (number) CHECK (final_block <= safe_block),
    -- The sum of all pools and claimables.
    owed         INTEGER NOT NULL CHECK (owed >= 0)
) STRICT;

-- What happened, in the order of the chain.
CREATE TABLE events (
    -- Block number << 23 | log index, as in an event's id: what has one number for its key is found by
    -- the fewest steps, and is written behind what was there.
    position            INTEGER PRIMARY KEY CHECK (position >= 0),
    -- Both again, for who reads; they take no room.
    block_number        INTEGER GENERATED ALWAYS AS (position >> 23) VIRTUAL,
    log_index           INTEGER GENERATED ALWAYS AS (position & 8388607) VIRTUAL,
    tx_hash             BLOB    NOT NULL CHECK (length(tx_hash) = 32),
    -- 1 deposit, 2 withdrawal, 3 settle, 4 approval, 5 payout held, 6 claimed, 7 limits set, 8 entry
    -- skipped
    kind                INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 8),
    -- Whose pool or claimable changed, or whose allowance or limits. Entry skipped: the consumer.
    account             BLOB    NOT NULL CHECK (length(account) = 20),
    -- Deposit: who paid. Settle: the operator.
    counterparty        BLOB    CHECK (length(counterparty) = 20),
    -- What entered or left the pool or claimable. Settle: to_amount + fee_amount.
    amount              INTEGER CHECK (amount >= 0),
    -- Approval: 32 bytes, big-endian, any value.
    allowance           BLOB    CHECK (length(allowance) = 32),
    -- Settle and entry skipped.
    session_id          BLOB    CHECK (length(session_id) = 32),
    -- Settle only.
    to_amount           INTEGER CHECK (to_amount >= 0),
    fee_amount          INTEGER CHECK (fee_amount >= 0),
    -- 8 bytes, big-endian: no money stands behind a rate, so it may have all of its 64 bits.
    rate_per_second     BLOB    CHECK (length(rate_per_second) = 8),
    chargeable_seconds  INTEGER CHECK (chargeable_seconds >= 0),
    -- Limits set only: µUSDC per second, µUSDC, and µUSDC per UTC day; 0 is no limit. As wide as the
    -- contract has them: 32, 48 and 48 bits.
    max_rate_per_second INTEGER CHECK (max_rate_per_second BETWEEN 0 AND 4294967295),
    max_per_session     INTEGER CHECK (max_per_session BETWEEN 0 AND 281474976710655),
    max_per_day         INTEGER CHECK (max_per_day BETWEEN 0 AND 281474976710655),
    -- Entry skipped only: its place in its batch, from 0, and the selector of the contract's error.
    entry_index         INTEGER CHECK (entry_index BETWEEN 0 AND 99),
    reason              BLOB    CHECK (length(reason) = 4),
    CHECK ((counterparty IS NOT NULL) = (kind IN (1, 3))),
    CHECK ((amount IS NOT NULL) = (kind NOT IN (4, 7, 8))),
    CHECK ((allowance IS NOT NULL) = (kind = 4)),
    CHECK ((session_id IS NOT NULL) = (kind IN (3, 8))),
    CHECK ((to_amount IS NOT NULL) = (kind = 3)),
    CHECK ((fee_amount IS NOT NULL) = (kind = 3)),
    CHECK ((rate_per_second IS NOT NULL) = (kind = 3)),
    CHECK ((chargeable_seconds IS NOT NULL) = (kind = 3)),
    CHECK ((max_rate_per_second IS NOT NULL) = (kind = 7)),
    CHECK ((max_per_session IS NOT NULL) = (kind = 7)),
    CHECK ((max_per_day IS NOT NULL) = (kind = 7)),
    CHECK ((entry_index IS NOT NULL) = (kind = 8)),
    CHECK ((reason IS NOT NULL) = (kind = 8)),
    CHECK (kind <> 3 OR amount = to_amount + fee_amount)
) STRICT;

-- What a foreign key would do where a block is deleted; it would look for the block in `events` by a
-- column that has no index.
CREATE TRIGGER blocks_with_events_stay BEFORE DELETE ON blocks
WHEN EXISTS (SELECT 1 FROM events WHERE position >= old.number << 23 AND position < old.number + 1 << 23)
BEGIN
    SELECT raise(ABORT, 'the block has events');
END;

-- The four tables that follow find events: by whom they concern, and by session. They are tables and
-- no indexes of `events`, so that a transaction can enter its rows in the order of their keys. These
-- are hashes, as good as: in the order of the chain, every row would go to another page, and a page
-- would be written many times over.

-- What each account sees, as the one side of an event or the other.
CREATE TABLE wallet_events (
    account      BLOB    NOT NULL CHECK (length(account) = 20),
    block_number INTEGER NOT NULL,
    log_index    INTEGER NOT NULL,
    -- 0 the event's account, 1 the operator of a settlement
    side         INTEGER NOT NULL CHECK (side BETWEEN 0 AND 1),
    -- What its history shows of the event, as in `events`: a page is read from one place.
    kind         INTEGER NOT NULL,
    tx_hash      BLOB    NOT NULL CHECK (length(tx_hash) = 32),
    -- What moved on this side: of a settlement the whole price, or the operator's part.
    amount       INTEGER,
    allowance    BLOB,
    -- Settle only.
    session_id   BLOB,
    PRIMARY KEY (account, block_number, log_index, side)
) STRICT, WITHOUT ROWID;

-- The event that settled a session, and the replay lock once more: a session that settles twice is
-- refused here too.
CREATE TABLE settlements (
    session_id   BLOB    PRIMARY KEY CHECK (length(session_id) = 32),
    block_number INTEGER NOT NULL,
    log_index    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Where batches left a session out, as often as they did: before it was settled, and after.
CREATE TABLE skips (
    session_id   BLOB    NOT NULL CHECK (length(session_id) = 32),
    block_number INTEGER NOT NULL,
    log_index    INTEGER NOT NULL,
    PRIMARY KEY (session_id, block_number, log_index)
) STRICT, WITHOUT ROWID;

-- Where each account set its limits. The last of them holds.
CREATE TABLE limits_set (
    account      BLOB    NOT NULL CHECK (length(account) = 20),
    block_number INTEGER NOT NULL,
    log_index    INTEGER NOT NULL,
    PRIMARY KEY (account, block_number, log_index)
) STRICT, WITHOUT ROWID;

-- What each pool holds. An empty pool has no row.
CREATE TABLE pools (
    account BLOB    PRIMARY KEY CHECK (length(account) = 20),
    balance INTEGER NOT NULL CHECK (balance > 0)
) STRICT, WITHOUT ROWID;

-- What is held for a payee that could not be paid. Nothing held has no row.
CREATE TABLE claimables (
    account BLOB    PRIMARY KEY CHECK (length(account) = 20),
    balance INTEGER NOT NULL CHECK (balance > 0)
) STRICT, WITHOUT ROWID;
