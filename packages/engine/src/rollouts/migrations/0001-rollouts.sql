-- Proposals of policy versions, what people said of them, and what was seen while they were tried. Words that people wrote are not
-- here: they are encrypted payloads of ledger entries.
CREATE TABLE rollouts_proposal (
  tenant     TEXT NOT NULL,
  id         TEXT NOT NULL,
  version    TEXT NOT NULL,
  base       TEXT, -- what was active; absent when nothing was
  author     TEXT NOT NULL, -- a person, or 'folder'
  changes    TEXT NOT NULL, -- JSON array of 'policy', 'charter'
  state      TEXT NOT NULL, -- 'open' | 'approved' | 'rejected' | 'shadow' | 'canary' | 'promoted' | 'rolled-back' | 'withdrawn'
  percent    INTEGER,
  checks     TEXT NOT NULL, -- JSON: findings and test results of our own, and what the author attached
  opened_at  INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE UNIQUE INDEX rollouts_proposal_open ON rollouts_proposal (tenant, version) WHERE state IN ('open', 'approved');
CREATE UNIQUE INDEX rollouts_proposal_tried ON rollouts_proposal (tenant) WHERE state IN ('shadow', 'canary');
CREATE TABLE rollouts_review (
  tenant   TEXT NOT NULL,
  proposal TEXT NOT NULL,
  person   TEXT NOT NULL,
  verdict  TEXT NOT NULL, -- 'approve' | 'reject'
  version  TEXT NOT NULL, -- what was reviewed
  at       INTEGER NOT NULL,
  PRIMARY KEY (tenant, proposal, person)
) STRICT, WITHOUT ROWID;
-- Sums, so that several processes can add to them.
CREATE TABLE rollouts_figure (
  tenant   TEXT NOT NULL,
  proposal TEXT NOT NULL,
  name     TEXT NOT NULL,
  value    INTEGER NOT NULL,
  PRIMARY KEY (tenant, proposal, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE rollouts_difference (
  tenant   TEXT NOT NULL,
  proposal TEXT NOT NULL,
  agent    TEXT NOT NULL,
  action   TEXT NOT NULL,
  active   TEXT NOT NULL,
  tried    TEXT NOT NULL,
  policies TEXT NOT NULL, -- JSON array: why the version that is tried said so, the last time
  count    INTEGER NOT NULL,
  last_at  INTEGER NOT NULL,
  PRIMARY KEY (tenant, proposal, agent, action, active, tried)
) STRICT, WITHOUT ROWID;
