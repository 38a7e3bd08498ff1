-- When a key that was replaced was first used again: somebody holds a copy of it.
alter table agent_keys add column reused_at text;
