-- Runs.
CREATE TABLE orders (
  order_number BIGINT,
  price DECIMAL(32,2),
  buyer ROW<first_name STRING, last_name STRING>,
  order_time TIMESTAMP(3)
) WITH (
  'connector' = 'datagen',
  'number-of-rows' = '20'
);

CREATE TABLE printed WITH ('connector' = 'blackhole') LIKE orders (EXCLUDING OPTIONS);

INSERT INTO printed SELECT * FROM orders;
