-- recipe_select.sql, line 3, SELECT status, COUNT: the rows of a query by itself go nowhere in a job
CREATE TABLE server_logs (status STRING) WITH ('connector' = 'datagen');
SELECT status, COUNT(*) FROM server_logs GROUP BY status;
