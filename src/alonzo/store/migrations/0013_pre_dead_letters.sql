-- What is delivered of an event that is over is a record or, where `error_message` is not NULL, a
-- dead letter: `record` is then the event itself and `event_request_id` its id. `error_code` may be
-- NULL. `role_arn` is the role that the delivery is made with, `succeeded` whether the event was
-- handled.
ALTER TABLE async_delivery ADD COLUMN role_arn TEXT NOT NULL DEFAULT '';
ALTER TABLE async_delivery ADD COLUMN succeeded INTEGER NOT NULL DEFAULT 0;
ALTER TABLE async_delivery ADD COLUMN event_request_id TEXT;
ALTER TABLE async_delivery ADD COLUMN error_code INTEGER;
ALTER TABLE async_delivery ADD COLUMN error_message TEXT;

-- One step finds the next target that is waited for, another its next record: a target that is slow
-- keeps no other waiting.
DROP INDEX async_delivery_due;
CREATE INDEX async_delivery_waiting ON async_delivery (target_arn, due_at_s, id);
