-- Answers kept for a day, so that a write repeated with the same Idempotency-Key happens once.
CREATE TABLE server_answer (
  tenant TEXT NOT NULL,
  owner TEXT NOT NULL,
  key TEXT NOT NULL,
  request TEXT NOT NULL,
  sealed BLOB,
  started_at INTEGER NOT NULL,
  PRIMARY KEY (tenant, owner, key)
) STRICT;
CREATE INDEX server_answer_age ON server_answer (started_at);
