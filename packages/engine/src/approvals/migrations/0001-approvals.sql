-- Calls that wait for a person. Arguments and notes are not here: they are encrypted payloads of ledger entries.
CREATE TABLE approvals_request (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  state TEXT NOT NULL, -- 'pending' | 'approved' | 'denied' | 'expired' | 'spent'
  digest TEXT NOT NULL,
  decision TEXT NOT NULL,
  agent TEXT NOT NULL,
  requesters TEXT NOT NULL, -- JSON array of person ids
  server TEXT NOT NULL,
  tool TEXT NOT NULL,
  summary TEXT NOT NULL,
  reasons TEXT NOT NULL, -- JSON
  asks TEXT NOT NULL, -- JSON
  opened_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  decided_by TEXT,
  decided_at INTEGER,
  decided_key TEXT, -- hash of the person and their Idempotency-Key
  decided_request TEXT, -- hash of what they sent with it
  spent_by TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;
-- The same call asked for twice waits for the same person once.
CREATE UNIQUE INDEX approvals_request_live ON approvals_request (tenant, digest) WHERE state IN ('pending', 'approved');
CREATE INDEX approvals_request_due ON approvals_request (tenant, expires_at) WHERE state IN ('pending', 'approved');
CREATE INDEX approvals_request_pending ON approvals_request (tenant, agent) WHERE state = 'pending';
CREATE UNIQUE INDEX approvals_request_key ON approvals_request (tenant, decided_key) WHERE decided_key IS NOT NULL;
