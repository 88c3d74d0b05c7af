-- +goose Up

-- Secrets stand apart from what is exported, and go when their owner goes.

CREATE TABLE agent_pin (
    tenant_id text COLLATE "C" NOT NULL,
    agent_id  text COLLATE "C" NOT NULL,
    hash      text        NOT NULL,
    set_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, agent_id),
    FOREIGN KEY (tenant_id, agent_id) REFERENCES agent (tenant_id, id) ON DELETE CASCADE
);

CREATE TABLE switch_access (
    tenant_id text COLLATE "C" NOT NULL,
    switch_id text COLLATE "C" NOT NULL,
    url       text NOT NULL,
    username  text NOT NULL,
    password  text NOT NULL,
    PRIMARY KEY (tenant_id, switch_id),
    FOREIGN KEY (tenant_id, switch_id) REFERENCES switch (tenant_id, id) ON DELETE CASCADE
);

-- A key is looked up before it is known whose it is: its prefix is unique over
-- all tenants.
CREATE TABLE api_key (
    prefix     text COLLATE "C" PRIMARY KEY CHECK (prefix ~ '^[a-z0-9]{8,32}$'),
    tenant_id  text COLLATE "C" NOT NULL REFERENCES tenant (id),
    hash       bytea       NOT NULL,
    name       text        NOT NULL,
    scopes     jsonb       NOT NULL,
    created_at timestamptz NOT NULL,
    used_at    timestamptz,
    revoked_at timestamptz
);
CREATE INDEX api_key_tenant ON api_key (tenant_id, created_at);

-- +goose Down
DROP TABLE api_key;
DROP TABLE switch_access;
DROP TABLE agent_pin;
