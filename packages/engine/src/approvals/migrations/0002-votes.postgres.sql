-- Votes: several people may have to agree, each once on each ask. A projection of the `approval.voted` entries.
CREATE TABLE approvals_vote (
  tenant TEXT NOT NULL,
  approval TEXT NOT NULL,
  step INTEGER NOT NULL, -- which step of its approval the vote was
  person TEXT NOT NULL,
  verdict TEXT NOT NULL, -- 'approve' | 'deny'
  policies TEXT NOT NULL, -- JSON array: the asks that it counts for
  at INTEGER NOT NULL,
  key TEXT, -- hash of the person and their Idempotency-Key
  request TEXT, -- hash of what they sent with it
  PRIMARY KEY (tenant, approval, step)
);
CREATE UNIQUE INDEX approvals_vote_key ON approvals_vote (tenant, key) WHERE key IS NOT NULL;

-- How many votes and escalations there were: what each next one starts from.
ALTER TABLE approvals_request ADD COLUMN step INTEGER NOT NULL DEFAULT 0;
-- When the next ask passes to the group that takes over.
ALTER TABLE approvals_request ADD COLUMN due_at INTEGER;
CREATE INDEX approvals_request_passing ON approvals_request (tenant, due_at) WHERE state = 'pending' AND due_at IS NOT NULL;

-- No store on PostgreSQL has approvals from before: there is nothing to carry over.
DROP INDEX approvals_request_key;
ALTER TABLE approvals_request DROP COLUMN decided_by;
ALTER TABLE approvals_request DROP COLUMN decided_key;
ALTER TABLE approvals_request DROP COLUMN decided_request;
