-- Permits of enforcement points that report nothing have no deadline and wait for no outcome.
DROP INDEX broker_decision_open;
CREATE INDEX broker_decision_open ON broker_decision (tenant, deadline) WHERE effect = 'permit' AND outcome IS NULL AND deadline IS NOT NULL;
