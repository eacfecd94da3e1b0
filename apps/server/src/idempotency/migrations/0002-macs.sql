-- Keyed digests of each column, bound to owner and key: this table has no entries in the ledger. '': from before.
ALTER TABLE server_answer ADD COLUMN macs TEXT NOT NULL DEFAULT '';
