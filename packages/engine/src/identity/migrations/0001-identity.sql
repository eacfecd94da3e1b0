-- People, what agents prove themselves with, sign-in links and sessions. Of every secret only its SHA-256 is here.
CREATE TABLE identity_person (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL, -- personal data: never in a ledger body, so that this row alone can be erased
  groups TEXT NOT NULL, -- JSON array
  operator INTEGER NOT NULL,
  added_at INTEGER NOT NULL,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE UNIQUE INDEX identity_person_operator ON identity_person (tenant) WHERE operator = 1;

CREATE TABLE identity_credential (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  agent TEXT NOT NULL,
  kind TEXT NOT NULL, -- 'secret' | 'key'
  state TEXT NOT NULL, -- 'active' | 'revoked'
  secret_hash TEXT, -- for a secret: hexadecimal SHA-256
  public_x TEXT, -- for a key: the x of its Ed25519 JWK
  thumbprint TEXT, -- for a key: RFC 7638
  on_behalf_of TEXT,
  issued_at INTEGER NOT NULL,
  rotated_at INTEGER,
  revoked_at INTEGER,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE UNIQUE INDEX identity_credential_secret ON identity_credential (tenant, secret_hash);
CREATE UNIQUE INDEX identity_credential_key ON identity_credential (tenant, thumbprint); -- a revoked key never comes back

CREATE TABLE identity_link (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  code_hash TEXT NOT NULL,
  person TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  spent_at INTEGER,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE UNIQUE INDEX identity_link_code ON identity_link (tenant, code_hash);

CREATE TABLE identity_session (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  secret_hash TEXT NOT NULL,
  person TEXT NOT NULL,
  opened_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  closed_at INTEGER,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE UNIQUE INDEX identity_session_secret ON identity_session (tenant, secret_hash);
