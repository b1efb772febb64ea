-- What each category sells in a window: one row when the window closes, another one whenever an order of it is corrected.
CREATE TEMPORARY SYSTEM FUNCTION category_sales AS 'millrace.sales.CategorySales' LANGUAGE JAVA
