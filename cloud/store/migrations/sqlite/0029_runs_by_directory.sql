-- The state of a customer is that of its worst directory: the newest runs of each, and of each agent.
create index runs_by_directory on runs (msp_id, directory_id, id);
create index runs_by_agent on runs (msp_id, agent_id, id);
