-- Decisions as lists and recovery need them: a projection of the ledger's `decision` and `outcome` entries.
CREATE TABLE broker_decision (
  tenant      TEXT NOT NULL,
  id          TEXT NOT NULL,
  at          INTEGER NOT NULL,
  door        TEXT NOT NULL,
  agent       TEXT NOT NULL,
  session     TEXT NOT NULL,
  method      TEXT NOT NULL,
  server      TEXT NOT NULL,
  tool        TEXT,
  kind        TEXT,
  risk        TEXT,
  effect      TEXT NOT NULL,
  fault       TEXT,
  detail      TEXT,
  reasons     TEXT NOT NULL,
  obligations TEXT NOT NULL,
  approval    TEXT,
  policy      TEXT,
  digest      TEXT NOT NULL,
  idempotency TEXT,
  deadline    INTEGER,
  outcome     TEXT,
  outcome_at  INTEGER,
  PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

-- Permits whose outcome is still to come: what recovery and the deadline sweep read.
CREATE INDEX broker_decision_open ON broker_decision (tenant, deadline) WHERE effect = 'permit' AND outcome IS NULL;
CREATE UNIQUE INDEX broker_decision_idempotency ON broker_decision (tenant, idempotency) WHERE idempotency IS NOT NULL;
