-- Backtests and drift checks: how far each has come and what it has found, in one row, so that a run that was cut off goes on.
CREATE TABLE backtests_run (
  tenant     TEXT NOT NULL,
  id         TEXT NOT NULL,
  kind       TEXT NOT NULL, -- 'candidate' | 'drift'
  version    TEXT, -- of the candidate
  started_by TEXT NOT NULL,
  agent      TEXT, -- of which alone
  most       INTEGER, -- how many decisions at most
  state      TEXT NOT NULL, -- 'running' | 'done' | 'failed' | 'stopped'
  after      INTEGER NOT NULL, -- the seq before the first
  up_to      INTEGER NOT NULL, -- the last seq
  position   INTEGER NOT NULL, -- the last seq that is in the tally
  tally      TEXT NOT NULL,
  fault      TEXT,
  started_at INTEGER NOT NULL,
  ended_at   INTEGER,
  PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX backtests_run_state ON backtests_run (tenant, state);
