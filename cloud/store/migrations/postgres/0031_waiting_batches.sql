-- What an agent sent and nobody has applied yet, in order: every batch and every job asks for it, and an agent may have sent
-- hundreds of thousands that were. Twin of ../sqlite/0031_waiting_batches.sql.
create index inbox_waiting on inbox (msp_id, agent_id, epoch, seq) where applied_at is null;
