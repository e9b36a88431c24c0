-- What lists ask for again and again, without reading what is closed or has an agent.
CREATE INDEX notices_open ON notices (kind, family) WHERE closed IS NULL;
CREATE INDEX devices_by_hand ON devices (site, family) WHERE device_key IS NULL;
