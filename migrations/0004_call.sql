-- +goose Up

-- A call's id is a UUIDv7, whose first 48 bits are its arrival in milliseconds.
-- So partitioning by id is partitioning by month, the primary key makes one row
-- per call certain, and order by id is order by arrival.

CREATE TABLE call (
    tenant_id      text COLLATE "C" NOT NULL,
    id             uuid        NOT NULL,
    switch_id      text COLLATE "C" NOT NULL,
    caller_number  text        NOT NULL,
    caller_name    text        NOT NULL,
    dialled        text        NOT NULL,
    flow_id        text COLLATE "C" NOT NULL,
    flow_version   bigint      NOT NULL,
    arrived_at     timestamptz NOT NULL,
    answered_at    timestamptz,
    connected_at   timestamptz,
    ended_at       timestamptz,
    first_queue_id text COLLATE "C" NOT NULL,
    last_queue_id  text COLLATE "C" NOT NULL,
    first_agent_id text COLLATE "C" NOT NULL,
    last_agent_id  text COLLATE "C" NOT NULL,
    offers         integer     NOT NULL,
    result         text COLLATE "C" NOT NULL,
    reason         text COLLATE "C" NOT NULL,
    total_ms       bigint      NOT NULL,
    flow_ms        bigint      NOT NULL,
    queue_ms       bigint      NOT NULL,
    talk_ms        bigint      NOT NULL,
    hold_ms        bigint      NOT NULL,
    PRIMARY KEY (tenant_id, id)
) PARTITION BY RANGE (id);
CREATE INDEX call_caller ON call (tenant_id, caller_number, id);
CREATE INDEX call_dialled ON call (tenant_id, dialled, id);
CREATE INDEX call_outcome ON call (tenant_id, reason, id);
CREATE INDEX call_open ON call (tenant_id, id) WHERE ended_at IS NULL;

CREATE TABLE leg (
    tenant_id   text COLLATE "C" NOT NULL,
    call_id     uuid        NOT NULL,
    id          text COLLATE "C" NOT NULL,
    seq         bigint      NOT NULL,
    idx         integer     NOT NULL,
    switch_id   text COLLATE "C" NOT NULL,
    role        text COLLATE "C" NOT NULL,
    endpoint    text        NOT NULL,
    agent_id    text COLLATE "C" NOT NULL,
    sip_call_id text        NOT NULL,
    started_at  timestamptz NOT NULL,
    rang_at     timestamptz,
    answered_at timestamptz,
    held_since  timestamptz,
    ended_at    timestamptz,
    cause       integer     NOT NULL,
    sip_status  integer     NOT NULL,
    ended_by    text COLLATE "C" NOT NULL,
    held_ms     bigint      NOT NULL,
    PRIMARY KEY (tenant_id, call_id, id)
) PARTITION BY RANGE (call_id);

CREATE TABLE queue_visit (
    tenant_id     text COLLATE "C" NOT NULL,
    call_id       uuid        NOT NULL,
    seq           bigint      NOT NULL,
    idx           integer     NOT NULL,
    queue_id      text COLLATE "C" NOT NULL,
    queue_version bigint      NOT NULL,
    priority      integer     NOT NULL,
    arrived_at    timestamptz NOT NULL,
    joined_at     timestamptz NOT NULL,
    left_at       timestamptz,
    reason        text COLLATE "C" NOT NULL,
    waited_ms     bigint      NOT NULL,
    PRIMARY KEY (tenant_id, call_id, seq, idx)
) PARTITION BY RANGE (call_id);
CREATE INDEX queue_visit_queue ON queue_visit (tenant_id, queue_id, call_id);

CREATE TABLE offer (
    tenant_id  text COLLATE "C" NOT NULL,
    call_id    uuid        NOT NULL,
    id         uuid        NOT NULL,
    seq        bigint      NOT NULL,
    idx        integer     NOT NULL,
    queue_id   text COLLATE "C" NOT NULL,
    agent_id   text COLLATE "C" NOT NULL,
    phone_id   text COLLATE "C" NOT NULL,
    leg_id     text COLLATE "C" NOT NULL,
    made_at    timestamptz NOT NULL,
    ring_until timestamptz NOT NULL,
    ended_at   timestamptz,
    outcome    text COLLATE "C" NOT NULL,
    cause      integer     NOT NULL,
    sip_status integer     NOT NULL,
    not_before timestamptz,
    connected  boolean     NOT NULL,
    decision   jsonb       NOT NULL,
    rang_ms    bigint      NOT NULL,
    PRIMARY KEY (tenant_id, call_id, id)
) PARTITION BY RANGE (call_id);
CREATE INDEX offer_connected ON offer (tenant_id, agent_id, call_id) WHERE connected;

-- +goose Down
DROP TABLE offer;
DROP TABLE queue_visit;
DROP TABLE leg;
DROP TABLE call;
