-- +goose Up

-- When a call was last known to live, if its switch was lost with it. It is
-- then also when the call ended, as far as anybody knows.
ALTER TABLE call ADD COLUMN lost_at timestamptz;

-- +goose Down
ALTER TABLE call DROP COLUMN lost_at;
