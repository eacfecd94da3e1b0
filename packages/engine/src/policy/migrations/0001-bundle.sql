-- Policy texts that were active, so that a folder that is broken at the next start still leaves the last good one in force.
CREATE TABLE policy_bundle (
  tenant       TEXT NOT NULL,
  activation   INTEGER NOT NULL,
  version      TEXT NOT NULL,
  files        TEXT NOT NULL,
  activated_at INTEGER NOT NULL,
  PRIMARY KEY (tenant, activation)
) STRICT, WITHOUT ROWID;
