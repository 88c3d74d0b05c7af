-- +goose Up

-- Every moment of an agent's day is in exactly one interval. Intervals may be
-- empty: a step can take an agent through several states in one instant.
CREATE TABLE agent_interval (
    tenant_id text COLLATE "C" NOT NULL,
    agent_id  text COLLATE "C" NOT NULL,
    seq       bigint      NOT NULL,
    idx       integer     NOT NULL,
    state     text COLLATE "C" NOT NULL,
    reason    text        NOT NULL,
    phone_id  text COLLATE "C" NOT NULL,
    call_id   uuid,
    queue_id  text COLLATE "C" NOT NULL,
    from_at   timestamptz NOT NULL,
    to_at     timestamptz,
    PRIMARY KEY (tenant_id, agent_id, seq, idx),
    CHECK (to_at >= from_at)
);
CREATE UNIQUE INDEX agent_interval_open ON agent_interval (tenant_id, agent_id) WHERE to_at IS NULL;
CREATE INDEX agent_interval_from ON agent_interval (tenant_id, agent_id, from_at);
CREATE INDEX agent_interval_to ON agent_interval (tenant_id, to_at);

-- +goose Down
DROP TABLE agent_interval;
