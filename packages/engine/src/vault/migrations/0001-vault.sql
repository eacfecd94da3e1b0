-- The vault's table: sealed values, projections of the ledger's secret.stored and secret.removed entries.
CREATE TABLE vault_secret (
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  stored_at INTEGER NOT NULL, -- milliseconds since 1970
  sealed BLOB, -- nonce, ciphertext, tag; NULL once removed, so that a version is never used twice
  PRIMARY KEY (tenant, name)
) STRICT;
