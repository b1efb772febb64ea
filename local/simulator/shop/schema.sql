-- The shop's tables. Safe to apply again: existing tables stay as they are.

CREATE SCHEMA IF NOT EXISTS shop;

-- One row per customer. The columns are the fields of events.CustomerVersion.
CREATE TABLE IF NOT EXISTS shop.customers (
    customer_id text PRIMARY KEY,
    name text NOT NULL,
    email text NOT NULL,
    phone text,
    tier text NOT NULL CHECK (tier IN ('standard', 'silver', 'gold')),
    country text NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
    language text NOT NULL,
    time_zone text NOT NULL,
    notifications_opt_out boolean NOT NULL DEFAULT false
);

-- One row per product. The columns are the fields of events.ProductVersion.
CREATE TABLE IF NOT EXISTS shop.products (
    product_id text PRIMARY KEY,
    name text NOT NULL,
    category text NOT NULL,
    -- in minor units of the currency
    price_minor bigint NOT NULL CHECK (price_minor >= 0),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    -- below zero when more is sold than there is
    stock integer NOT NULL
);

-- One row per run of the service. A transaction writes its number here, so that one whose answer was lost isn't
-- done again. No other program reads it.
CREATE TABLE IF NOT EXISTS shop.runs (
    run text PRIMARY KEY,
    last_transaction bigint NOT NULL
);
