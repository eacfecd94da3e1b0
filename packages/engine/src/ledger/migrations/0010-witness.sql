-- Cosignatures of witnesses, checkpoints that contradict this ledger, and the outage of witnesses that goes on.
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

CREATE TABLE ledger_fork (
  tenant TEXT NOT NULL,
  -- Size and hexadecimal root of the other history's checkpoint.
  size INTEGER NOT NULL,
  root TEXT NOT NULL,
  theirs TEXT NOT NULL,
  ours TEXT NOT NULL,
  -- How many entries of this ledger were signed when it was found.
  ours_size INTEGER NOT NULL,
  source TEXT NOT NULL,
  detail TEXT NOT NULL,
  at INTEGER NOT NULL,
  resolved_at INTEGER,
  PRIMARY KEY (tenant, size, root)
) STRICT;

CREATE TABLE ledger_outage (
  tenant TEXT NOT NULL,
  -- The first checkpoint that too few witnesses cosigned in time, and when it was signed.
  size INTEGER NOT NULL,
  since INTEGER NOT NULL,
  PRIMARY KEY (tenant)
) STRICT;
