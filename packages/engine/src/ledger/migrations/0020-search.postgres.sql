-- What entries can be found by. Made from the entries alone, and made again from them whenever somebody wants.
CREATE TABLE ledger_search (
  tenant TEXT NOT NULL,
  seq BIGINT NOT NULL,
  -- ms since 1970.
  at BIGINT NOT NULL,
  -- 64 bits of a hash each.
  terms BIGINT[] NOT NULL,
  PRIMARY KEY (tenant, seq)
);
CREATE INDEX ledger_search_terms ON ledger_search USING GIN (terms);
CREATE INDEX ledger_search_at ON ledger_search (tenant, at);

CREATE TABLE ledger_search_position (
  tenant TEXT NOT NULL,
  version BIGINT NOT NULL,
  next BIGINT NOT NULL,
  -- The leaf hash of the entry before, hexadecimal.
  last TEXT NOT NULL,
  PRIMARY KEY (tenant)
);
