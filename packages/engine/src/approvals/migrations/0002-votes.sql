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
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX approvals_vote_key ON approvals_vote (tenant, key) WHERE key IS NOT NULL;

-- How many votes and escalations there were: what each next one starts from.
ALTER TABLE approvals_request ADD COLUMN step INTEGER NOT NULL DEFAULT 0;
-- When the next ask passes to the group that takes over.
ALTER TABLE approvals_request ADD COLUMN due_at INTEGER;
CREATE INDEX approvals_request_passing ON approvals_request (tenant, due_at) WHERE state = 'pending' AND due_at IS NOT NULL;

-- What one person decided for all asks becomes their vote on all of them.
UPDATE approvals_request SET asks = (
  SELECT json_group_array(json_set(value, '$.deadlineMs', expires_at - opened_at, '$.escalated', json('false'))) FROM json_each(asks)
);
INSERT INTO approvals_vote (tenant, approval, step, person, verdict, policies, at, key, request)
  SELECT tenant, id, 0, decided_by, CASE state WHEN 'denied' THEN 'deny' ELSE 'approve' END,
    (SELECT json_group_array(json_extract(value, '$.policy')) FROM json_each(asks)), decided_at, decided_key, decided_request
  FROM approvals_request WHERE decided_by IS NOT NULL;
UPDATE approvals_request SET step = 1 WHERE decided_by IS NOT NULL;
DROP INDEX approvals_request_key;
ALTER TABLE approvals_request DROP COLUMN decided_by;
ALTER TABLE approvals_request DROP COLUMN decided_key;
ALTER TABLE approvals_request DROP COLUMN decided_request;
