-- What one replica does for all of them: stamping checkpoints, keeping the mirror.
CREATE TABLE ledger_duty (
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  holder TEXT NOT NULL,
  lease_until INTEGER NOT NULL,
  PRIMARY KEY (tenant, name)
) STRICT;
