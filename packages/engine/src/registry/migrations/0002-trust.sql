-- How far people trust an agent, for policies and the charter to go by.
ALTER TABLE registry_agent ADD COLUMN groups TEXT NOT NULL DEFAULT '[]'; -- JSON
ALTER TABLE registry_agent ADD COLUMN tier INTEGER;
ALTER TABLE registry_agent ADD COLUMN standing TEXT;
