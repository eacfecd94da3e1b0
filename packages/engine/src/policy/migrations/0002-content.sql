-- Texts and worlds by their digests: whatever a decision was pinned to can be read again. A bundle only says when which texts were active.
CREATE TABLE policy_files (
  tenant  TEXT NOT NULL,
  version TEXT NOT NULL,
  files   TEXT NOT NULL,
  PRIMARY KEY (tenant, version)
) STRICT, WITHOUT ROWID;

INSERT OR IGNORE INTO policy_files (tenant, version, files) SELECT tenant, version, files FROM policy_bundle;
ALTER TABLE policy_bundle DROP COLUMN files;

-- A world is kept in parts (agents, tools, …), so that a new agent does not store every tool again.
CREATE TABLE policy_world (
  tenant TEXT NOT NULL,
  digest TEXT NOT NULL,
  parts  TEXT NOT NULL,
  PRIMARY KEY (tenant, digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE policy_world_part (
  tenant  TEXT NOT NULL,
  digest  TEXT NOT NULL,
  content TEXT NOT NULL,
  PRIMARY KEY (tenant, digest)
) STRICT, WITHOUT ROWID;
