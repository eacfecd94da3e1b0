-- How risky each call was, with the arithmetic, and what it took of budgets, so that its outcome can settle it.
ALTER TABLE broker_decision ADD COLUMN risk_score TEXT;
ALTER TABLE broker_decision ADD COLUMN spends TEXT;

-- Whether an agent was ever permitted a tool.
CREATE INDEX broker_decision_permitted ON broker_decision (tenant, agent, server, tool) WHERE effect = 'permit';
