-- The counter of each ledger: its row is locked by whoever appends, so that replicas take their places one after another and none is left out.
CREATE TABLE ledger_log (
  tenant TEXT NOT NULL,
  -- The name of the log: two installations with different keys can't share one.
  origin TEXT NOT NULL,
  size BIGINT NOT NULL,
  PRIMARY KEY (tenant)
);
