-- What is used of each budget, by subject and period: a projection of `decision` and `outcome` entries.
CREATE TABLE budgets_use (
  tenant  TEXT NOT NULL,
  budget  TEXT NOT NULL,
  unit    TEXT NOT NULL, -- 'calls' | 'bytes' | 'tokens' | a currency
  period  TEXT NOT NULL, -- 'hour' | 'day' | 'week'
  start   INTEGER NOT NULL,
  subject TEXT NOT NULL,
  used    INTEGER NOT NULL,
  PRIMARY KEY (tenant, budget, unit, period, start, subject)
) STRICT, WITHOUT ROWID;

-- What ended long ago is forgotten.
CREATE INDEX budgets_use_start ON budgets_use (tenant, start);
