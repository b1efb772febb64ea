-- auction_function.sql, line 2, CREATE TEMPORARY FUNCTION count_char: Could not register
CREATE TEMPORARY FUNCTION count_char AS 'com.example.CountChar';
CREATE TABLE results (n INT) WITH ('connector' = 'blackhole');
INSERT INTO results SELECT count_char('abc', 'b');
