-- Each row of a table with the watermark that all later steps are at most at, right after a restore, too: what
-- CURRENT_WATERMARK isn't. The input is the whole of a source, or of all sources that are joined later.
CREATE TEMPORARY SYSTEM FUNCTION with_watermark AS 'millrace.watermarks.WithWatermark' LANGUAGE JAVA
