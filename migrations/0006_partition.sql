-- +goose Up

-- The default partitions are a safety net: rows of a month nobody prepared go
-- there, and move out when the month's partition is made.
CREATE TABLE fact_default PARTITION OF fact DEFAULT;
CREATE TABLE call_default PARTITION OF call DEFAULT;
CREATE TABLE leg_default PARTITION OF leg DEFAULT;
CREATE TABLE queue_visit_default PARTITION OF queue_visit DEFAULT;
CREATE TABLE offer_default PARTITION OF offer DEFAULT;

-- The least UUIDv7 of an instant (RFC 9562 section 5.7: 48 bits of
-- milliseconds first).
-- +goose StatementBegin
CREATE FUNCTION uuid_floor(at timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT (lpad(to_hex(floor(extract(epoch FROM at) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid
$$;
-- +goose StatementEnd

-- Makes one table's partition [lower, upper) unless it is there. Returns
-- whether it made it.
-- +goose StatementBegin
CREATE FUNCTION make_partition(parent text, month date, key text, lower text, upper text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    child text := parent || to_char(month, '_YYYY_MM');
BEGIN
    IF to_regclass(quote_ident(child)) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', child, parent);
    -- Nothing may enter the default partition between moving and attaching.
    EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', parent || '_default');
    EXECUTE format('WITH moved AS (DELETE FROM %I WHERE %I >= %L AND %I < %L RETURNING *) INSERT INTO %I SELECT * FROM moved',
        parent || '_default', key, lower, key, upper, child);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, child, lower, upper);
    RETURN true;
END $$;
-- +goose StatementEnd

-- Makes the partitions of the months from first on, for every partitioned
-- table. Returns how many it made. Run as often as you like.
-- +goose StatementBegin
CREATE FUNCTION make_partitions(first date, months integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    made  integer := 0;
    month date;
    table_name text;
    lower timestamptz;
    upper timestamptz;
BEGIN
    -- One at a time, whichever process asks.
    PERFORM pg_advisory_xact_lock(hashtext('make_partitions'));
    FOR n IN 0 .. months - 1 LOOP
        month := (date_trunc('month', first) + make_interval(months => n))::date;
        lower := month::timestamp AT TIME ZONE 'UTC';
        upper := (month + interval '1 month')::timestamp AT TIME ZONE 'UTC';
        made := made + make_partition('fact', month, 'at', lower::text, upper::text)::int;
        made := made + make_partition('call', month, 'id', uuid_floor(lower)::text, uuid_floor(upper)::text)::int;
        FOREACH table_name IN ARRAY ARRAY['leg', 'queue_visit', 'offer'] LOOP
            made := made + make_partition(table_name, month, 'call_id', uuid_floor(lower)::text, uuid_floor(upper)::text)::int;
        END LOOP;
    END LOOP;
    RETURN made;
END $$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION make_partitions(date, integer);
DROP FUNCTION make_partition(text, date, text, text, text);
DROP FUNCTION uuid_floor(timestamptz);
DROP TABLE offer_default;
DROP TABLE queue_visit_default;
DROP TABLE leg_default;
DROP TABLE call_default;
DROP TABLE fact_default;
