-- Where each sink is in the ledger, and which replica delivers to it. The entries themselves stay in the ledger.
CREATE TABLE outbox_sink (
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  -- Every entry below was acknowledged by the sink, or is of a type that it does not take.
  next_seq INTEGER NOT NULL,
  -- Counts up with each take-over and each replay: whoever holds an older one moves nothing any more.
  epoch INTEGER NOT NULL,
  holder TEXT,
  lease_until INTEGER NOT NULL,
  state TEXT NOT NULL, -- 'on' | 'off': its receiver said that it is gone
  delivered_at INTEGER,
  -- Attempts in a row that failed, and what the last one said.
  failures INTEGER NOT NULL,
  failed_at INTEGER,
  error TEXT,
  PRIMARY KEY (tenant, name)
) STRICT;
