-- Facts: what happened, each with its event time and the keys of its dimensions.
CREATE TABLE warehouse.fact_order (
    order_id text PRIMARY KEY,
    revision bigint NOT NULL,
    event_id text NOT NULL,
    event_time timestamptz NOT NULL,
    complete boolean NOT NULL,
    customer_id text NOT NULL,
    customer_lsn bigint,
    currency text NOT NULL,
    total_minor bigint NOT NULL,
    lines_total_minor bigint NOT NULL,
    totals_agree boolean NOT NULL,
    shipping_country text NOT NULL
);

CREATE INDEX fact_order_event_time ON warehouse.fact_order (event_time);

CALL warehouse.keep_newest('warehouse.fact_order', key => '{order_id}', version => '{revision, event_time}');

COMMENT ON TABLE warehouse.fact_order IS 'One row per order, of its last revision.';
COMMENT ON COLUMN warehouse.fact_order.order_id IS 'The shop''s number for it.';
COMMENT ON COLUMN warehouse.fact_order.revision IS
'1: as it was enriched at once. 2: corrected, because something was missing and has arrived since.';
COMMENT ON COLUMN warehouse.fact_order.event_id IS 'The event that the row was written from.';
COMMENT ON COLUMN warehouse.fact_order.event_time IS 'When the order was placed.';
COMMENT ON COLUMN warehouse.fact_order.complete IS
'Whether its customer and all its products are known; customer_lsn and the lines'' product_lsn are null where not.';
COMMENT ON COLUMN warehouse.fact_order.customer_id IS 'Who placed it.';
COMMENT ON COLUMN warehouse.fact_order.customer_lsn IS
'The customer''s version at event_time: dim_customer (customer_id, lsn). Null while the customer isn''t known.';
COMMENT ON COLUMN warehouse.fact_order.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN warehouse.fact_order.total_minor IS 'What the order says that it costs, in minor units of currency.';
COMMENT ON COLUMN warehouse.fact_order.lines_total_minor IS 'Sum of the lines'' totals, in minor units of currency.';
COMMENT ON COLUMN warehouse.fact_order.totals_agree IS 'Whether the two are the same.';
COMMENT ON COLUMN warehouse.fact_order.shipping_country IS 'Where it is sent: ISO 3166-1 alpha-2 code.';

CREATE TABLE warehouse.fact_order_line (
    order_id text NOT NULL,
    line_number bigint NOT NULL,
    revision bigint NOT NULL,
    event_time timestamptz NOT NULL,
    product_id text NOT NULL,
    product_lsn bigint,
    name text,
    category text,
    list_price_minor bigint,
    list_price_currency text,
    quantity bigint NOT NULL,
    currency text NOT NULL,
    unit_price_minor bigint NOT NULL,
    line_total_minor bigint NOT NULL,
    PRIMARY KEY (order_id, line_number)
);

CREATE INDEX fact_order_line_event_time ON warehouse.fact_order_line (event_time);

CALL warehouse.keep_newest(
    'warehouse.fact_order_line', key => '{order_id, line_number}', version => '{revision, event_time}'
);

COMMENT ON TABLE warehouse.fact_order_line IS 'One row per line of an order, of its last revision.';
COMMENT ON COLUMN warehouse.fact_order_line.order_id IS 'The order: fact_order.';
COMMENT ON COLUMN warehouse.fact_order_line.line_number IS '1 for the first line; unique within the order.';
COMMENT ON COLUMN warehouse.fact_order_line.revision IS 'The order''s.';
COMMENT ON COLUMN warehouse.fact_order_line.event_time IS 'When the order was placed.';
COMMENT ON COLUMN warehouse.fact_order_line.product_id IS 'What was ordered: dim_product.';
COMMENT ON COLUMN warehouse.fact_order_line.product_lsn IS
'Which version of the product the next four columns are of. Null while the product isn''t known, as they are.';
COMMENT ON COLUMN warehouse.fact_order_line.name IS 'What the shop called the product at event_time.';
COMMENT ON COLUMN warehouse.fact_order_line.category IS 'What kind of thing it was at event_time.';
COMMENT ON COLUMN warehouse.fact_order_line.list_price_minor IS
'The product''s list price at event_time, in minor units of list_price_currency.';
COMMENT ON COLUMN warehouse.fact_order_line.list_price_currency IS 'ISO 4217 code.';
COMMENT ON COLUMN warehouse.fact_order_line.quantity IS 'How many pieces.';
COMMENT ON COLUMN warehouse.fact_order_line.currency IS 'The order''s: ISO 4217 code.';
COMMENT ON COLUMN warehouse.fact_order_line.unit_price_minor IS
'What one piece was sold for, in minor units of currency.';
COMMENT ON COLUMN warehouse.fact_order_line.line_total_minor IS
'Quantity times unit price, in minor units of currency.';

CREATE TABLE warehouse.fact_payment (
    payment_id text PRIMARY KEY,
    event_id text COLLATE "C" NOT NULL,
    event_time timestamptz NOT NULL,
    order_id text,
    customer_id text NOT NULL,
    card_id text NOT NULL,
    merchant_id text NOT NULL,
    merchant_category text NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    base_amount_minor bigint NOT NULL,
    base_currency text NOT NULL,
    country text NOT NULL,
    latitude double precision NOT NULL,
    longitude double precision NOT NULL,
    device_id text NOT NULL,
    channel text NOT NULL,
    status text NOT NULL
);

CREATE INDEX fact_payment_event_time ON warehouse.fact_payment (event_time);
CREATE INDEX fact_payment_order ON warehouse.fact_payment (order_id) WHERE order_id IS NOT NULL;

CALL warehouse.keep_newest('warehouse.fact_payment', key => '{payment_id}', version => '{event_time, event_id}');

COMMENT ON TABLE warehouse.fact_payment IS
'One row per payment. A merchant''s retry repeats the payment''s number: the last attempt, with its answer, counts.';
COMMENT ON COLUMN warehouse.fact_payment.payment_id IS 'The payment''s own number.';
COMMENT ON COLUMN warehouse.fact_payment.event_id IS 'The attempt.';
COMMENT ON COLUMN warehouse.fact_payment.event_time IS 'When the issuer answered.';
COMMENT ON COLUMN warehouse.fact_payment.order_id IS
'The order that it pays for: fact_order. Null for payments outside the shop.';
COMMENT ON COLUMN warehouse.fact_payment.customer_id IS 'Whom the card belongs to.';
COMMENT ON COLUMN warehouse.fact_payment.card_id IS 'A token for the card, never its number.';
COMMENT ON COLUMN warehouse.fact_payment.merchant_id IS 'Who gets the money.';
COMMENT ON COLUMN warehouse.fact_payment.merchant_category IS 'What the merchant sells, in words.';
COMMENT ON COLUMN warehouse.fact_payment.amount_minor IS 'What the cardholder pays, in minor units of currency.';
COMMENT ON COLUMN warehouse.fact_payment.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN warehouse.fact_payment.base_amount_minor IS
'The same amount in minor units of base_currency, at the rate of that moment: sums need one currency.';
COMMENT ON COLUMN warehouse.fact_payment.base_currency IS 'ISO 4217 code.';
COMMENT ON COLUMN warehouse.fact_payment.country IS 'Where the card was used: ISO 3166-1 alpha-2 code.';
COMMENT ON COLUMN warehouse.fact_payment.latitude IS 'WGS 84 degrees.';
COMMENT ON COLUMN warehouse.fact_payment.longitude IS 'WGS 84 degrees.';
COMMENT ON COLUMN warehouse.fact_payment.device_id IS 'The terminal, phone or browser that the card was used on.';
COMMENT ON COLUMN warehouse.fact_payment.channel IS 'card_present: at a terminal. online: the card was not there.';
COMMENT ON COLUMN warehouse.fact_payment.status IS 'The issuer''s answer: authorized, or declined.';

CREATE TABLE warehouse.fact_alert (
    event_id text PRIMARY KEY,
    event_type text NOT NULL,
    event_time timestamptz NOT NULL,
    case_id text NOT NULL,
    card_id text NOT NULL,
    customer_id text NOT NULL,
    payment_id text NOT NULL,
    score bigint NOT NULL,
    rules jsonb NOT NULL,
    ruleset_version bigint NOT NULL,
    features jsonb NOT NULL,
    payments jsonb NOT NULL,
    payment_count bigint NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL
);

CREATE INDEX fact_alert_event_time ON warehouse.fact_alert (event_time);

CALL warehouse.keep_newest('warehouse.fact_alert', key => '{event_id}', version => '{event_time}');

COMMENT ON TABLE warehouse.fact_alert IS
'One row per step in the life of a card''s fraud case: it is opened, it may escalate, it is closed.';
COMMENT ON COLUMN warehouse.fact_alert.event_id IS 'The step; derived from the case.';
COMMENT ON COLUMN warehouse.fact_alert.event_type IS
'fraud_alert.opened: the first broken rules. fraud_alert.escalated: rules not broken before. fraud_alert.closed: no
further broken rule for the quiet period.';
COMMENT ON COLUMN warehouse.fact_alert.event_time IS
'Of the payment that caused the step; on closed, when the quiet period ended.';
COMMENT ON COLUMN warehouse.fact_alert.case_id IS 'Same for all steps of one case.';
COMMENT ON COLUMN warehouse.fact_alert.card_id IS 'The card whose case it is.';
COMMENT ON COLUMN warehouse.fact_alert.customer_id IS 'Whom the card belongs to.';
COMMENT ON COLUMN warehouse.fact_alert.payment_id IS
'The payment that caused this step (on closed: the last one of the case): fact_payment.';
COMMENT ON COLUMN warehouse.fact_alert.score IS 'Sum of the broken rules'' scores.';
COMMENT ON COLUMN warehouse.fact_alert.rules IS
'List of {rule, score, reason}. opened, escalated: newly broken by this step; closed: every rule of the case.';
COMMENT ON COLUMN warehouse.fact_alert.ruleset_version IS 'Version of the ruleset that judged the payment.';
COMMENT ON COLUMN warehouse.fact_alert.features IS 'The payment''s features as the rules saw them, by name.';
COMMENT ON COLUMN warehouse.fact_alert.payments IS
'Evidence: ids of the suspicious payments of the case so far, oldest first, the latest 50.';
COMMENT ON COLUMN warehouse.fact_alert.payment_count IS
'How many payments of the case broke a rule so far, also those beyond the latest 50.';
COMMENT ON COLUMN warehouse.fact_alert.amount_minor IS
'Sum of those payments, in minor units of currency (the base currency).';
COMMENT ON COLUMN warehouse.fact_alert.currency IS 'ISO 4217 code.';
