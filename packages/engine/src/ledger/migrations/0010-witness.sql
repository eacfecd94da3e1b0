-- Cosignatures of witnesses, and their outage that goes on. Forks are in entries alone.
CREATE TABLE ledger_cosignature (
  tenant TEXT NOT NULL,
  size INTEGER NOT NULL,
  -- Name and key id of the witness.
  witness TEXT NOT NULL,
  -- One signature line of a note, with its newline.
  line TEXT NOT NULL,
  -- The signed checkpoint that it belongs to.
  note TEXT NOT NULL,
  -- When it was stored, in ms since 1970.
  at INTEGER NOT NULL,
  PRIMARY KEY (tenant, size, witness)
) STRICT;

CREATE TABLE ledger_outage (
  tenant TEXT NOT NULL,
  -- The first checkpoint that too few witnesses cosigned in time, and when it was signed.
  size INTEGER NOT NULL,
  since INTEGER NOT NULL,
  PRIMARY KEY (tenant)
) STRICT;
