-- Erasure, retention and legal hold. What is destroyed, held and ruled is said by ledger entries; these rows are checked against them.
CREATE TABLE ledger_destroyed_key (
  tenant TEXT NOT NULL,
  -- As ledger_key had it.
  name TEXT NOT NULL,
  -- sha256:<hex> of the wrapped key, which tells it from any other.
  digest TEXT NOT NULL,
  -- The id of the entry that says so.
  entry TEXT NOT NULL,
  -- 1 when the sealed bytes are removed too.
  cleared INTEGER NOT NULL,
  PRIMARY KEY (tenant, name)
) STRICT;
CREATE INDEX ledger_destroyed_key_left ON ledger_destroyed_key (tenant, name) WHERE cleared = 0;

CREATE TABLE ledger_hold (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  subject TEXT,
  since INTEGER,
  until INTEGER,
  placed_at INTEGER NOT NULL,
  placed_by TEXT NOT NULL,
  -- The entry that placed it; its payload is the reason.
  entry TEXT NOT NULL,
  PRIMARY KEY (tenant, id)
) STRICT;

CREATE TABLE ledger_retention (
  tenant TEXT NOT NULL,
  -- Changes so far; the entry of each is retention/<version>.
  version INTEGER NOT NULL,
  -- JSON.
  rules TEXT NOT NULL,
  -- The last day that was swept.
  swept TEXT,
  PRIMARY KEY (tenant)
) STRICT;
