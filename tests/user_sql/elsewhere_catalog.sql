-- elsewhere_catalog.sql, line 2, CREATE CATALOG hive: its tables would be asked for elsewhere
CREATE CATALOG hive WITH ('type' = 'hive', 'hive-conf-dir' = '/etc/hive');
USE CATALOG hive;
INSERT INTO b SELECT x FROM a;
