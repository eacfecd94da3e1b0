-- The registry's tables: projections of the ledger's server.*, tool.* and agent.* entries. Read back whole when the registry opens.
CREATE TABLE registry_server (
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('proposed', 'accepted', 'removed')),
  transport TEXT NOT NULL, -- JSON
  folders TEXT NOT NULL, -- JSON
  salt TEXT NOT NULL, -- of the digest that the ledger holds of transport and folders
  refusal TEXT, -- why its last tool list was refused
  PRIMARY KEY (tenant, name)
) STRICT;

CREATE TABLE registry_tool (
  tenant TEXT NOT NULL,
  server TEXT NOT NULL,
  name TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('proposed', 'accepted', 'changed', 'gone')),
  kind TEXT NOT NULL,
  risk TEXT NOT NULL,
  paths TEXT NOT NULL, -- JSON
  digest TEXT NOT NULL, -- of definition
  definition TEXT NOT NULL, -- canonical JSON: accepted, or seen while proposed
  seen_digest TEXT, -- of seen
  seen TEXT, -- canonical JSON: what the server gives now, when it differs
  PRIMARY KEY (tenant, server, name),
  FOREIGN KEY (tenant, server) REFERENCES registry_server (tenant, name)
) STRICT;

CREATE TABLE registry_agent (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  owner TEXT NOT NULL,
  purpose TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('active', 'retired')),
  salt TEXT NOT NULL, -- of the digest that the ledger holds of name, owner and purpose
  PRIMARY KEY (tenant, id)
) STRICT;
