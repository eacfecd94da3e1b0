-- The ledger: entries in order, their encrypted payloads, the tree's tiles, and the last checkpoint that was signed.
CREATE TABLE ledger_entry (
  tenant TEXT NOT NULL,
  seq INTEGER NOT NULL,
  -- The idempotency key; also in the body.
  id TEXT,
  leaf_hash BLOB NOT NULL,
  -- RFC 8785 JSON: exactly these bytes are hashed.
  body TEXT NOT NULL,
  PRIMARY KEY (tenant, seq)
) STRICT;
CREATE UNIQUE INDEX ledger_entry_id ON ledger_entry (tenant, id) WHERE id IS NOT NULL;

CREATE TABLE ledger_payload (
  tenant TEXT NOT NULL,
  seq INTEGER NOT NULL,
  name TEXT NOT NULL,
  subject TEXT NOT NULL,
  -- AES-256-GCM under the subject's key: salt || payload.
  sealed BLOB NOT NULL,
  PRIMARY KEY (tenant, seq, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger_key (
  tenant TEXT NOT NULL,
  subject TEXT NOT NULL,
  -- The subject's data key, sealed under the installation's key.
  sealed BLOB NOT NULL,
  PRIMARY KEY (tenant, subject)
) STRICT;

CREATE TABLE ledger_tile (
  tenant TEXT NOT NULL,
  level INTEGER NOT NULL,
  n INTEGER NOT NULL,
  -- 32 bytes a hash. A tile only grows, so a narrower partial tile is its beginning.
  hashes BLOB NOT NULL,
  PRIMARY KEY (tenant, level, n)
) STRICT;

CREATE TABLE ledger_checkpoint (
  tenant TEXT NOT NULL,
  size INTEGER NOT NULL,
  note TEXT NOT NULL,
  PRIMARY KEY (tenant)
) STRICT;
