-- How risky each call was, with the arithmetic, and what it took of budgets, so that its outcome can settle it.
ALTER TABLE broker_decision ADD COLUMN risk_score TEXT;
ALTER TABLE broker_decision ADD COLUMN spends TEXT;

-- Which agents were ever permitted which tools: a row for each pair, where an index would grow with each permit.
CREATE TABLE broker_permitted (
  tenant TEXT NOT NULL,
  agent  TEXT NOT NULL,
  server TEXT NOT NULL,
  tool   TEXT NOT NULL,
  PRIMARY KEY (tenant, agent, server, tool)
) STRICT, WITHOUT ROWID;
INSERT INTO broker_permitted (tenant, agent, server, tool)
  SELECT DISTINCT tenant, agent, server, tool FROM broker_decision WHERE effect = 'permit' AND tool IS NOT NULL;
