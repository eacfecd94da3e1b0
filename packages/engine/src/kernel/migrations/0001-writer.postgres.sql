-- One row for each replica that writes: it counts its transactions (to find out what became of one whose COMMIT was not
-- answered) and its units (for the other replicas to see that something changed). The embedded store has one writer and needs none.
CREATE TABLE kernel_writer (
  tenant TEXT NOT NULL,
  writer TEXT NOT NULL,
  batch INTEGER NOT NULL,
  units INTEGER NOT NULL,
  seen TIMESTAMPTZ NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant, writer)
) WITH (fillfactor = 20);
