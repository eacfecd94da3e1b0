-- Texts and worlds by their digests: whatever a decision was pinned to can be read again. A bundle only says when which texts were active.
CREATE TABLE policy_files (
  tenant  TEXT NOT NULL,
  version TEXT NOT NULL,
  files   TEXT NOT NULL,
  PRIMARY KEY (tenant, version)
);

-- No store on PostgreSQL has bundles from before: there is nothing to carry over.
ALTER TABLE policy_bundle DROP COLUMN files;

-- A world is kept in parts (agents, tools, …), so that a new agent does not store every tool again.
CREATE TABLE policy_world (
  tenant TEXT NOT NULL,
  digest TEXT NOT NULL,
  parts  TEXT NOT NULL,
  PRIMARY KEY (tenant, digest)
);

CREATE TABLE policy_world_part (
  tenant  TEXT NOT NULL,
  digest  TEXT NOT NULL,
  content TEXT NOT NULL,
  PRIMARY KEY (tenant, digest)
);
