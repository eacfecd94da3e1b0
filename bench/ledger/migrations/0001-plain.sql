-- The plain store that the ledger is compared with: the same rows, and nothing that makes them provable.
CREATE TABLE ledger_plain_entry (
  tenant TEXT NOT NULL,
  seq INTEGER NOT NULL,
  id TEXT,
  leaf_hash BLOB NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (tenant, seq)
) STRICT;
CREATE UNIQUE INDEX ledger_plain_entry_id ON ledger_plain_entry (tenant, id) WHERE id IS NOT NULL;

CREATE TABLE ledger_plain_payload (
  tenant TEXT NOT NULL,
  seq INTEGER NOT NULL,
  name TEXT NOT NULL,
  subject TEXT NOT NULL,
  sealed BLOB NOT NULL,
  PRIMARY KEY (tenant, seq, name)
) STRICT, WITHOUT ROWID;
