-- How a table keeps the newest version of each row, whoever writes to it and in whatever order: the order in which rows
-- arrive says nothing, since topics are replayed and several writers may be at work.
CREATE PROCEDURE warehouse.keep_newest(guarded regclass, key text[], version text[])
LANGUAGE plpgsql
AS $procedure$
DECLARE
    name text;
BEGIN
    SELECT relname INTO STRICT name FROM pg_class WHERE oid = guarded;

    EXECUTE format(
        $function$
        CREATE FUNCTION warehouse.%1$I() RETURNS trigger
        LANGUAGE plpgsql
        AS $body$
        DECLARE
            known %2$s;
        BEGIN
            SELECT * INTO known FROM %2$s AS it WHERE (%3$s) = (%4$s);
            IF NOT FOUND THEN
                RETURN NEW;
            END IF;
            IF (%5$s) > (%6$s) OR known IS NOT DISTINCT FROM NEW THEN
                RETURN NULL;
            END IF;
            DELETE FROM %2$s AS it WHERE (%3$s) = (%4$s);
            RETURN NEW;
        END
        $body$
        $function$,
        'keep_newest_' || name,
        guarded,
        warehouse.listed('it', key),
        warehouse.listed('NEW', key),
        warehouse.listed('known', version),
        warehouse.listed('NEW', version)
    );
    EXECUTE format(
        'CREATE TRIGGER keep_newest BEFORE INSERT ON %s FOR EACH ROW EXECUTE FUNCTION warehouse.%I()',
        guarded,
        'keep_newest_' || name
    );
    EXECUTE format(
        'CREATE TRIGGER refuse_older BEFORE UPDATE ON %s FOR EACH ROW WHEN ((%s) > (%s)) '
        'EXECUTE FUNCTION warehouse.skip_row()',
        guarded,
        warehouse.listed('OLD', version),
        warehouse.listed('NEW', version)
    );
END
$procedure$;

COMMENT ON PROCEDURE warehouse.keep_newest IS
'Makes a plain INSERT into a table keep the newest version of each row. A new key is inserted; a version that is not
older than the known one takes its place; an older one, or the same row again, changes nothing. Two rows of one key may
stand in one INSERT, which ON CONFLICT DO UPDATE refuses. Greater values of the version columns, compared from left to
right, are newer; they must be NOT NULL. Call it once for each table, in the migration that creates it.';

CREATE FUNCTION warehouse.listed(of text, columns text[]) RETURNS text
LANGUAGE sql
RETURN (SELECT string_agg(format('%s.%I', of, name), ', ' ORDER BY place) FROM unnest(columns) WITH ORDINALITY AS c (name, place));

COMMENT ON FUNCTION warehouse.listed IS 'Columns of a row, as SQL lists them.';

CREATE FUNCTION warehouse.skip_row() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION warehouse.skip_row IS 'As a trigger BEFORE a change: the row is left as it is.';
