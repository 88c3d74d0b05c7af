-- +goose Up

-- Every fact, as the floor stated it. Rows that tell of calls and agents are
-- derived from these and can be made again.
CREATE TABLE fact (
    tenant_id text COLLATE "C" NOT NULL,
    seq       bigint      NOT NULL,
    idx       integer     NOT NULL,
    at        timestamptz NOT NULL,
    name      text COLLATE "C" NOT NULL,
    call_id   uuid,
    what      jsonb       NOT NULL,
    PRIMARY KEY (tenant_id, seq, idx, at)
) PARTITION BY RANGE (at);
CREATE INDEX fact_call ON fact (tenant_id, call_id, seq, idx) WHERE call_id IS NOT NULL;

-- How far facts have been stored. Whoever stores facts locks this row.
CREATE TABLE projection (
    tenant_id text COLLATE "C" PRIMARY KEY REFERENCES tenant (id),
    seq       bigint      NOT NULL DEFAULT 0,
    idx       integer     NOT NULL DEFAULT -1,
    moved_at  timestamptz NOT NULL DEFAULT now()
);

-- Facts that could not be stored (body holds them) or not be understood in
-- their place (stored: they are in fact too). For a person to look at.
CREATE TABLE fact_set_aside (
    tenant_id text COLLATE "C" NOT NULL,
    seq       bigint      NOT NULL,
    idx       integer     NOT NULL,
    at        timestamptz NOT NULL,
    name      text COLLATE "C" NOT NULL,
    stored    boolean     NOT NULL,
    reason    text        NOT NULL,
    body      bytea       NOT NULL,
    PRIMARY KEY (tenant_id, seq, idx)
);

-- +goose Down
DROP TABLE fact_set_aside;
DROP TABLE projection;
DROP TABLE fact;
