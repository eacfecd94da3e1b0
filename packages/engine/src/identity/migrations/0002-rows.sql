-- Each row is what a ledger entry says, field by field; `version` says which entry is its last. 0: made before that.
ALTER TABLE identity_person ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE identity_person ADD COLUMN salt TEXT NOT NULL DEFAULT ''; -- of the digest that the ledger holds of the name
ALTER TABLE identity_credential ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE identity_link ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE identity_session ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE identity_session ADD COLUMN link TEXT; -- that opened it
