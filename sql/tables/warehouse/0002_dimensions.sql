-- Dimensions: what the facts are about. Each row is a version of a row of the shop's database; a greater lsn is a later
-- one. Facts may arrive before the dimension's row that they name, so there are no foreign keys.
CREATE TABLE warehouse.dim_customer (
    customer_id text NOT NULL,
    lsn bigint NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz,
    is_current boolean NOT NULL GENERATED ALWAYS AS (valid_to IS NULL) STORED,
    deleted boolean NOT NULL,
    name text NOT NULL,
    email text NOT NULL,
    phone text,
    tier text NOT NULL,
    country text NOT NULL,
    language text NOT NULL,
    time_zone text NOT NULL,
    notifications_opt_out boolean NOT NULL,
    PRIMARY KEY (customer_id, lsn)
);

CREATE INDEX dim_customer_current ON warehouse.dim_customer (customer_id) WHERE valid_to IS NULL;

COMMENT ON TABLE warehouse.dim_customer IS
'One row per version of a customer (history of type 2). A fact names its version by customer_id and customer_lsn.';
COMMENT ON COLUMN warehouse.dim_customer.customer_id IS 'The shop''s number for the customer.';
COMMENT ON COLUMN warehouse.dim_customer.lsn IS
'Position in the shop database''s write-ahead log: of one customer a greater one is a later version.';
COMMENT ON COLUMN warehouse.dim_customer.valid_from IS
'When the shop''s database changed the row; for the first known version, when it was first read.';
COMMENT ON COLUMN warehouse.dim_customer.valid_to IS
'When the next version began: the first moment at which this one did not hold any more. Null while it holds. Equal to
valid_from if the version was replaced in the same moment.';
COMMENT ON COLUMN warehouse.dim_customer.is_current IS 'Whether it is the customer''s last version; one is.';
COMMENT ON COLUMN warehouse.dim_customer.deleted IS
'Whether the shop has deleted the customer with this version; the other columns are those of the last one then.';
COMMENT ON COLUMN warehouse.dim_customer.name IS 'Given name and family name.';
COMMENT ON COLUMN warehouse.dim_customer.email IS 'E-mail address.';
COMMENT ON COLUMN warehouse.dim_customer.phone IS 'With country code, digits and +; null if it isn''t known.';
COMMENT ON COLUMN warehouse.dim_customer.tier IS 'standard, silver or gold.';
COMMENT ON COLUMN warehouse.dim_customer.country IS 'Where the customer lives: ISO 3166-1 alpha-2 code.';
COMMENT ON COLUMN warehouse.dim_customer.language IS
'ISO 639-1 code of the language that the customer is addressed in.';
COMMENT ON COLUMN warehouse.dim_customer.time_zone IS 'IANA name, such as Europe/Paris.';
COMMENT ON COLUMN warehouse.dim_customer.notifications_opt_out IS
'Whether the customer wants no messages but those that warn of fraud.';

-- A version that arrives again changes nothing, unless it is told otherwise than before.
CREATE FUNCTION warehouse.keep_customer_version() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
    known warehouse.dim_customer;
BEGIN
    SELECT * INTO known FROM warehouse.dim_customer WHERE customer_id = NEW.customer_id AND lsn = NEW.lsn;
    IF FOUND THEN
        NEW.valid_to := known.valid_to;
        NEW.is_current := known.is_current;
        IF known IS NOT DISTINCT FROM NEW THEN
            RETURN NULL;
        END IF;
        DELETE FROM warehouse.dim_customer WHERE customer_id = NEW.customer_id AND lsn = NEW.lsn;
    END IF;
    NEW.valid_to := NULL;
    RETURN NEW;
END
$$;

-- Computed anew from all versions of the customers that arrived, so it doesn't matter in which order they did: a version
-- ends when any later one begins. (The later one's time is no earlier, unless the database's clock was set back.)
CREATE FUNCTION warehouse.end_customer_versions() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    UPDATE warehouse.dim_customer AS it
    SET valid_to = ending.valid_to
    FROM (
        SELECT
            customer_id,
            lsn,
            CASE WHEN next_begins < valid_from THEN valid_from ELSE next_begins END AS valid_to
        FROM (
            SELECT
                customer_id,
                lsn,
                valid_from,
                min(valid_from) OVER (
                    PARTITION BY customer_id ORDER BY lsn ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
                ) AS next_begins
            FROM warehouse.dim_customer
            WHERE customer_id IN (SELECT customer_id FROM arrived)
        ) AS beginning
    ) AS ending
    WHERE (it.customer_id, it.lsn) = (ending.customer_id, ending.lsn) AND it.valid_to IS DISTINCT FROM ending.valid_to;
    RETURN NULL;
END
$$;

-- Two writers at a time would each miss the other's versions, so one waits until the other has committed.
CREATE FUNCTION warehouse.take_turns() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(TG_RELID::bigint);
    RETURN NULL;
END
$$;

CREATE TRIGGER take_turns BEFORE INSERT ON warehouse.dim_customer
FOR EACH STATEMENT EXECUTE FUNCTION warehouse.take_turns();
CREATE TRIGGER keep_version BEFORE INSERT ON warehouse.dim_customer
FOR EACH ROW EXECUTE FUNCTION warehouse.keep_customer_version();
CREATE TRIGGER end_versions AFTER INSERT ON warehouse.dim_customer
REFERENCING NEW TABLE AS arrived
FOR EACH STATEMENT EXECUTE FUNCTION warehouse.end_customer_versions();

-- Only the current version: stock changes with each sale, so a history would be a row a sale, and what counts about a
-- product when it is sold stands in fact_order_line.
CREATE TABLE warehouse.dim_product (
    product_id text PRIMARY KEY,
    lsn bigint NOT NULL,
    event_time timestamptz NOT NULL,
    deleted boolean NOT NULL,
    name text NOT NULL,
    category text NOT NULL,
    price_minor bigint NOT NULL,
    currency text NOT NULL,
    stock bigint NOT NULL
);

CALL warehouse.keep_newest('warehouse.dim_product', key => '{product_id}', version => '{lsn}');

COMMENT ON TABLE warehouse.dim_product IS
'One row per product as it is now; what it was called and cost when it was sold stands in fact_order_line.';
COMMENT ON COLUMN warehouse.dim_product.product_id IS 'The shop''s number for the product.';
COMMENT ON COLUMN warehouse.dim_product.lsn IS
'Position in the shop database''s write-ahead log: of one product a greater one is a later version.';
COMMENT ON COLUMN warehouse.dim_product.event_time IS 'When the shop''s database changed the row last.';
COMMENT ON COLUMN warehouse.dim_product.deleted IS
'Whether the shop has deleted the product; the other columns are those of its last version then.';
COMMENT ON COLUMN warehouse.dim_product.name IS 'What the shop calls it.';
COMMENT ON COLUMN warehouse.dim_product.category IS 'What kind of thing it is, in words.';
COMMENT ON COLUMN warehouse.dim_product.price_minor IS 'List price of one piece, in minor units of currency.';
COMMENT ON COLUMN warehouse.dim_product.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN warehouse.dim_product.stock IS
'Pieces in the shop''s warehouse; negative if more are sold than there are.';
