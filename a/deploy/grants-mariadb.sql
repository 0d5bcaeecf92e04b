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

-- TRIGGER, because without it no account sees whether the triggers are still there. It also allows to change them:
-- leave it out where that weighs more, and have `syncd triggers check` run by an administrator.
GRANT TRIGGER ON crm.customers TO 'syncd'@'%';

-- The customers, by column: what is not mapped cannot be read. The key is always needed.
GRANT SELECT (id, number, company, email, phone) ON crm.customers TO 'syncd'@'%';
-- What providers may change ([source] write = true).
GRANT UPDATE (number, company, email, phone) ON crm.customers TO 'syncd'@'%';
-- Only where new customers come in from a provider (inbound_create = true):
-- GRANT INSERT (id, number, company, email, phone) ON crm.customers TO 'syncd'@'%';
