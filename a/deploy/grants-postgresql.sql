-- What syncd's account needs on PostgreSQL, and nothing more. Run as the table's owner or a superuser, after
--   syncd triggers install --print-sql | psql ...
-- which also prints these lines with your own names. Here: table public.customers, key id, four mapped columns.
--
-- The account first, if there is none:
--   CREATE ROLE syncd LOGIN PASSWORD '...';

-- The change log and its fence: read marks, delete those that were taken, count.
GRANT USAGE ON SCHEMA syncd TO syncd;
GRANT SELECT, DELETE ON syncd.change_log TO syncd;
GRANT SELECT, UPDATE ON syncd.fence TO syncd;

-- The customers, by column: what is not mapped cannot be read. The key is always needed.
GRANT SELECT (id, number, company, email, phone) ON public.customers TO syncd;
-- What providers may change ([source] write = true).
GRANT UPDATE (number, company, email, phone) ON public.customers TO syncd;
-- Only where new customers come in from a provider (inbound_create = true):
-- GRANT INSERT (id, number, company, email, phone) ON public.customers TO syncd;

-- Limits on the account itself: a stopped process must not hold the application's rows.
ALTER ROLE syncd SET statement_timeout = '30s';
ALTER ROLE syncd SET lock_timeout = '5s';
ALTER ROLE syncd SET idle_in_transaction_session_timeout = '60s';

-- An account that may only read (change_log = "snapshot", write = false) gets USAGE on the schema syncd, SELECT on
-- syncd.change_log and SELECT on the columns above, and:
--   ALTER ROLE syncd SET default_transaction_read_only = on;
