-- +goose Up

-- Which process leads a tenant's floor. The epoch grows with every acquisition;
-- reign is the first one since which the holder has not changed. yields is the holder's promise to stop when the lease runs out, and without
-- it nobody may take a lease that merely ran out.
CREATE TABLE lease (
    tenant_id     text COLLATE "C" PRIMARY KEY REFERENCES tenant (id),
    epoch         bigint      NOT NULL,
    reign         bigint      NOT NULL,
    instance_id   text COLLATE "C" NOT NULL,
    instance_name text        NOT NULL,
    expires_at    timestamptz NOT NULL,
    yields        boolean     NOT NULL,
    released      boolean     NOT NULL
);

-- Processes that wait to lead.
CREATE TABLE standby (
    tenant_id     text COLLATE "C" NOT NULL REFERENCES tenant (id),
    instance_id   text COLLATE "C" NOT NULL,
    instance_name text        NOT NULL,
    seen_at       timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, instance_id)
);

-- Facts of an epoch below this are refused: their floor was taken over.
ALTER TABLE projection ADD COLUMN epoch bigint NOT NULL DEFAULT 0;

-- A floor's state after all facts up to seq, so that another machine can begin
-- there instead of at the first fact.
CREATE TABLE floor_image (
    tenant_id text COLLATE "C" PRIMARY KEY REFERENCES tenant (id),
    seq       bigint      NOT NULL,
    stored_at timestamptz NOT NULL,
    state     bytea       NOT NULL
);

-- +goose Down
DROP TABLE floor_image;
ALTER TABLE projection DROP COLUMN epoch;
DROP TABLE standby;
DROP TABLE lease;
