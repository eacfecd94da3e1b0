-- Who published which texts, signed; what is tried beside the active version; and what the policy folder held last.
CREATE TABLE policy_signature (
  tenant    TEXT NOT NULL,
  version   TEXT NOT NULL,
  envelope  TEXT NOT NULL, -- DSSE
  withdrawn INTEGER NOT NULL, -- 1: rolled back, or replaced by whoever changed the folder; decides nothing any more
  PRIMARY KEY (tenant, version)
) STRICT, WITHOUT ROWID;
CREATE TABLE policy_stage (
  tenant     TEXT NOT NULL,
  step       INTEGER NOT NULL,
  activation INTEGER NOT NULL, -- beside which it is tried; the next activation ends it
  version    TEXT, -- absent: nothing is tried any more
  mode       TEXT, -- 'shadow' | 'canary'
  percent    INTEGER,
  salt       TEXT,
  PRIMARY KEY (tenant, step)
) STRICT, WITHOUT ROWID;
-- So that a start does not take a folder that was replaced by a published version for a change.
CREATE TABLE policy_folder (
  tenant  TEXT NOT NULL,
  version TEXT NOT NULL,
  PRIMARY KEY (tenant)
) STRICT, WITHOUT ROWID;
