-- +goose Up

-- Where a call came from: '' from a trunk, 'internal' from one of our phones.
-- agent_id is who dialled it, if anybody was logged in there.
ALTER TABLE call
    ADD COLUMN direction text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN agent_id text COLLATE "C" NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE call
    DROP COLUMN direction,
    DROP COLUMN agent_id;
