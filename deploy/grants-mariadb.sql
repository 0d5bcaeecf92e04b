-- What syncd's account needs on MariaDB and MySQL, and nothing more. Run as an administrator, after
--   syncd triggers install --print-sql | mysql ...
-- which also prints these lines with your own names. Here: database crm, table customers, key id, four mapped columns.
-- The tables must exist before rights on them can be given.
--
-- The account first, if there is none:
--   CREATE USER 'syncd'@'%' IDENTIFIED BY '...';

-- The change log and its fence: read marks, delete those that were taken, count.
GRANT SELECT, DELETE ON crm.syncd_change_log TO 'syncd'@'%';
GRANT SELECT, UPDATE ON crm.syncd_fence TO 'syncd'@'%';

-- The seal that the installing administrator left: without the right TRIGGER, which would let it change triggers too,
-- an account sees none. `syncd triggers check` reads the seal, and tries with one row, rolled back, whether they work.
GRANT SELECT ON crm.syncd_seal TO 'syncd'@'%';

-- How the table is described (SHOW CREATE TABLE), which a right on some of its columns does not show. No data.
GRANT SHOW VIEW ON crm.customers TO 'syncd'@'%';

-- The customers, by column: what is not mapped cannot be read. The key is always needed.
GRANT SELECT (id, number, company, email, phone) ON crm.customers TO 'syncd'@'%';
-- What providers may change ([source] write = true).
GRANT UPDATE (number, company, email, phone) ON crm.customers TO 'syncd'@'%';
-- Only where new customers come in from a provider (inbound_create = true):
-- GRANT INSERT (id, number, company, email, phone) ON crm.customers TO 'syncd'@'%';
