-- +goose Up

CREATE TABLE tenant (
    id             text COLLATE "C" PRIMARY KEY,
    config_version bigint      NOT NULL DEFAULT 0,
    created_at     timestamptz NOT NULL DEFAULT now()
);

-- Configuration: one table per kind. The definition is the object as the floor
-- gets it; what is searched or must be unique is a column made of it. version
-- is the config_version the object last changed with.
--
-- Uniqueness is checked at commit, so that two phones may swap endpoints in one
-- change.

CREATE TABLE settings (
    tenant_id  text COLLATE "C" PRIMARY KEY REFERENCES tenant (id),
    version    bigint NOT NULL,
    definition jsonb  NOT NULL
);

CREATE TABLE switch (
    tenant_id  text COLLATE "C" NOT NULL REFERENCES tenant (id),
    id         text COLLATE "C" NOT NULL,
    version    bigint NOT NULL,
    definition jsonb  NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE phone (
    tenant_id  text COLLATE "C" NOT NULL REFERENCES tenant (id),
    id         text COLLATE "C" NOT NULL,
    version    bigint NOT NULL,
    definition jsonb  NOT NULL,
    switch_id  text COLLATE "C" GENERATED ALWAYS AS (definition ->> 'switch') STORED,
    endpoint   text COLLATE "C" GENERATED ALWAYS AS (definition ->> 'endpoint') STORED,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT phone_endpoint_unique UNIQUE (tenant_id, switch_id, endpoint) DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE agent (
    tenant_id  text COLLATE "C" NOT NULL REFERENCES tenant (id),
    id         text COLLATE "C" NOT NULL,
    version    bigint NOT NULL,
    definition jsonb  NOT NULL,
    number     text COLLATE "C" GENERATED ALWAYS AS (definition ->> 'number') STORED,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT agent_number_unique UNIQUE (tenant_id, number) DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE hours (
    tenant_id  text COLLATE "C" NOT NULL REFERENCES tenant (id),
    id         text COLLATE "C" NOT NULL,
    version    bigint NOT NULL,
    definition jsonb  NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE queue (
    tenant_id  text COLLATE "C" NOT NULL REFERENCES tenant (id),
    id         text COLLATE "C" NOT NULL,
    version    bigint NOT NULL,
    definition jsonb  NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE flow (
    tenant_id  text COLLATE "C" NOT NULL REFERENCES tenant (id),
    id         text COLLATE "C" NOT NULL,
    version    bigint NOT NULL,
    definition jsonb  NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

-- id is the dialled number.
CREATE TABLE number (
    tenant_id  text COLLATE "C" NOT NULL REFERENCES tenant (id),
    id         text COLLATE "C" NOT NULL,
    version    bigint NOT NULL,
    definition jsonb  NOT NULL,
    flow_id    text COLLATE "C" GENERATED ALWAYS AS (definition ->> 'flow') STORED,
    PRIMARY KEY (tenant_id, id)
);

-- The audit of the configuration, and its history: how a queue was at an
-- instant is in the last change before it that names the queue.
CREATE TABLE config_change (
    tenant_id text COLLATE "C" NOT NULL REFERENCES tenant (id),
    version   bigint      NOT NULL,
    at        timestamptz NOT NULL,
    by        text        NOT NULL,
    settings  boolean     NOT NULL,
    change    jsonb       NOT NULL,
    PRIMARY KEY (tenant_id, version)
);

-- +goose StatementBegin
CREATE FUNCTION refuse_edit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
-- +goose StatementEnd

CREATE TRIGGER config_change_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON config_change
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_edit();

-- +goose Down
DROP TABLE config_change;
DROP FUNCTION refuse_edit();
DROP TABLE number;
DROP TABLE flow;
DROP TABLE queue;
DROP TABLE hours;
DROP TABLE agent;
DROP TABLE phone;
DROP TABLE switch;
DROP TABLE settings;
DROP TABLE tenant;
