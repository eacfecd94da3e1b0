-- How many calls a session was permitted, and since when there is one.
CREATE INDEX broker_decision_session ON broker_decision (tenant, session, effect, at);
