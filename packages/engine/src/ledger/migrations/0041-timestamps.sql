-- RFC 3161 timestamps of checkpoints, each with exactly the bytes that were stamped.
CREATE TABLE ledger_timestamp (
  tenant TEXT NOT NULL,
  size INTEGER NOT NULL,
  -- What the authority says, in ms since 1970.
  at INTEGER NOT NULL,
  note TEXT NOT NULL,
  -- DER of the TimeStampResp.
  token BLOB NOT NULL,
  PRIMARY KEY (tenant, size)
) STRICT;
