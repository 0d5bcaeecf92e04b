"""Eleven schemas of others, reduced to what matters here, with the column names of the originals, and a few rows each.

    Chinook, Northwind, Pagila, Odoo, OpenCart, PrestaShop, Dolibarr, WooCommerce, Shopware 5, ERPNext, SuiteCRM

The statements are our own and run on SQLite, PostgreSQL and MariaDB (text keys have lengths for its sake).
"""

from __future__ import annotations

from collections.abc import Mapping

CHINOOK = """
CREATE TABLE Employee (EmployeeId INTEGER PRIMARY KEY, LastName VARCHAR(20), FirstName VARCHAR(20), Title VARCHAR(30),
 ReportsTo INTEGER, BirthDate DATE, Address VARCHAR(70), City VARCHAR(40), State VARCHAR(40), Country VARCHAR(40),
 PostalCode VARCHAR(10), Phone VARCHAR(24), Fax VARCHAR(24), Email VARCHAR(60));
CREATE TABLE Customer (CustomerId INTEGER PRIMARY KEY, FirstName VARCHAR(40) NOT NULL, LastName VARCHAR(20) NOT NULL,
 Company VARCHAR(80), Address VARCHAR(70), City VARCHAR(40), State VARCHAR(40), Country VARCHAR(40),
 PostalCode VARCHAR(10), Phone VARCHAR(24), Fax VARCHAR(24), Email VARCHAR(60) NOT NULL, SupportRepId INTEGER);
INSERT INTO Employee (EmployeeId, LastName, FirstName, Title, Email) VALUES (1, 'Adams', 'Ann', 'General Manager',
 'a@x.example');
INSERT INTO Customer (CustomerId, FirstName, LastName, Company, City, Country, Email) VALUES
 (1, 'Luis', 'Gomez', 'Embraer', 'Santos', 'Brazil', 'luis@x.example'),
 (2, 'Leonie', 'Koehler', NULL, 'Stuttgart', 'Germany', 'leonie@x.example'),
 (3, 'Frank', 'Harris', NULL, 'Ogden', 'USA', 'frank@x.example');
"""
NORTHWIND = """
CREATE TABLE suppliers (supplier_id INTEGER PRIMARY KEY, company_name VARCHAR(40), contact_name VARCHAR(30),
 contact_title VARCHAR(30), address VARCHAR(60), city VARCHAR(15), region VARCHAR(15), postal_code VARCHAR(10),
 country VARCHAR(15), phone VARCHAR(24), fax VARCHAR(24), homepage VARCHAR(200));
CREATE TABLE employees (employee_id INTEGER PRIMARY KEY, last_name VARCHAR(20), first_name VARCHAR(10),
 title VARCHAR(30),
 birth_date DATE, address VARCHAR(60), city VARCHAR(15), region VARCHAR(15), postal_code VARCHAR(10),
 country VARCHAR(15));
CREATE TABLE customers (customer_id VARCHAR(5) PRIMARY KEY, company_name VARCHAR(40), contact_name VARCHAR(30),
 contact_title VARCHAR(30), address VARCHAR(60), city VARCHAR(15), region VARCHAR(15), postal_code VARCHAR(10),
 country VARCHAR(15), phone VARCHAR(24), fax VARCHAR(24));
INSERT INTO customers (customer_id, company_name, contact_name, city, country) VALUES
 ('ALFKI', 'Futterkiste', 'Maria Anders', 'Berlin', 'Germany'), ('AROUT', 'Horn', 'Thomas Hardy', 'London', 'UK');
"""
PAGILA = """
CREATE TABLE country (country_id INTEGER PRIMARY KEY, country VARCHAR(50) NOT NULL);
CREATE TABLE city (city_id INTEGER PRIMARY KEY, city VARCHAR(50) NOT NULL,
 country_id INTEGER NOT NULL REFERENCES country (country_id));
CREATE TABLE address (address_id INTEGER PRIMARY KEY, address VARCHAR(50) NOT NULL, address2 VARCHAR(50),
 district VARCHAR(20), city_id INTEGER NOT NULL REFERENCES city (city_id), postal_code VARCHAR(10),
 phone VARCHAR(20));
CREATE TABLE staff (staff_id INTEGER PRIMARY KEY, first_name VARCHAR(45), last_name VARCHAR(45), address_id INTEGER,
 email VARCHAR(50), store_id INTEGER, active INTEGER);
CREATE TABLE customer (customer_id INTEGER PRIMARY KEY, store_id INTEGER NOT NULL, first_name VARCHAR(45) NOT NULL,
 last_name VARCHAR(45) NOT NULL, email VARCHAR(50), address_id INTEGER NOT NULL REFERENCES address (address_id),
 active INTEGER);
CREATE VIEW customer_list AS SELECT cu.customer_id AS id, cu.last_name AS name, a.address, a.postal_code AS zip_code,
 a.phone, city.city, country.country,
 cu.active AS notes FROM customer cu JOIN address a ON a.address_id = cu.address_id
 JOIN city ON city.city_id = a.city_id JOIN country ON country.country_id = city.country_id;
INSERT INTO country VALUES (1, 'Germany'), (2, 'Austria');
INSERT INTO city VALUES (1, 'Berlin', 1), (2, 'Linz', 2);
INSERT INTO address VALUES (1, 'Weg 1', NULL, 'Mitte', 1, '10115', '030 1'), (2, 'Weg 2', NULL, 'Linz', 2, '4020',
 '0732 2');
INSERT INTO customer VALUES (1, 1, 'Mary', 'Smith', 'mary@x.example', 1, 1), (2, 2, 'Linda', 'Wood',
 'linda@x.example', 2, 0);
"""
ODOO = """
CREATE TABLE res_country (id INTEGER PRIMARY KEY, name VARCHAR(80), code VARCHAR(2));
CREATE TABLE res_country_state (id INTEGER PRIMARY KEY, country_id INTEGER REFERENCES res_country (id),
 name VARCHAR(80), code VARCHAR(9));
CREATE TABLE res_partner_title (id INTEGER PRIMARY KEY, name VARCHAR(40), shortcut VARCHAR(9));
CREATE TABLE res_partner (id INTEGER PRIMARY KEY, name VARCHAR(120), company_id INTEGER, display_name VARCHAR(120),
 date DATE,
 title INTEGER REFERENCES res_partner_title (id), parent_id INTEGER REFERENCES res_partner (id), ref VARCHAR(40),
 lang VARCHAR(9), tz VARCHAR(40), vat VARCHAR(40), website VARCHAR(120), comment VARCHAR(200), active INTEGER,
 employee INTEGER, "function" VARCHAR(80), type VARCHAR(20), street VARCHAR(120), street2 VARCHAR(120),
 zip VARCHAR(20),
 city VARCHAR(80), state_id INTEGER REFERENCES res_country_state (id), country_id INTEGER REFERENCES res_country (id),
 email VARCHAR(120), phone VARCHAR(40), mobile VARCHAR(40), is_company INTEGER, company_name VARCHAR(120),
 customer_rank INTEGER);
CREATE TABLE res_users (id INTEGER PRIMARY KEY, login VARCHAR(60), active INTEGER, partner_id INTEGER,
 signature VARCHAR(60));
INSERT INTO res_country VALUES (1, 'Germany', 'DE'), (2, 'Belgium', 'BE');
INSERT INTO res_country_state VALUES (1, 1, 'Bayern', 'BY');
INSERT INTO res_partner (id, name, display_name, parent_id, lang, active, city, state_id, country_id, email) VALUES
 (1, 'Azure Interior', 'Azure Interior', NULL, 'de_DE', 1, 'Ulm', 1, 1, 'azure@x.example'),
 (2, 'Deco Addict', 'Deco Addict', NULL, 'en_US', 1, 'Gent', NULL, 2, 'deco@x.example'),
 (3, 'Brandon', 'Azure Interior, Brandon', 1, 'en_US', 1, NULL, NULL, NULL, 'brandon@x.example');
"""
OPENCART = """
CREATE TABLE oc_country (country_id INTEGER PRIMARY KEY, name VARCHAR(128), iso_code_2 VARCHAR(2),
 iso_code_3 VARCHAR(3), status INTEGER);
CREATE TABLE oc_zone (zone_id INTEGER PRIMARY KEY, country_id INTEGER, name VARCHAR(128), code VARCHAR(32),
 status INTEGER);
CREATE TABLE oc_language (language_id INTEGER PRIMARY KEY, name VARCHAR(32), code VARCHAR(5), locale VARCHAR(255),
 status INTEGER);
CREATE TABLE oc_address (address_id INTEGER PRIMARY KEY, customer_id INTEGER, firstname VARCHAR(32),
 lastname VARCHAR(32),
 company VARCHAR(40), address_1 VARCHAR(128), address_2 VARCHAR(128), city VARCHAR(128), postcode VARCHAR(10),
 country_id INTEGER, zone_id INTEGER, custom_field VARCHAR(200));
CREATE TABLE oc_customer (customer_id INTEGER PRIMARY KEY, customer_group_id INTEGER, store_id INTEGER,
 language_id INTEGER,
 firstname VARCHAR(32), lastname VARCHAR(32), email VARCHAR(96), telephone VARCHAR(32), fax VARCHAR(32),
 password VARCHAR(255), salt VARCHAR(9), newsletter INTEGER, address_id INTEGER, ip VARCHAR(40), status INTEGER,
 safe INTEGER);
CREATE TABLE oc_customer_ip (customer_ip_id INTEGER PRIMARY KEY, customer_id INTEGER, ip VARCHAR(40));
CREATE TABLE oc_order (order_id INTEGER PRIMARY KEY, customer_id INTEGER, firstname VARCHAR(32), lastname VARCHAR(32),
 email VARCHAR(96), telephone VARCHAR(32), payment_company VARCHAR(60), payment_city VARCHAR(128));
INSERT INTO oc_country VALUES (81, 'Germany', 'DE', 'DEU', 1), (14, 'Austria', 'AT', 'AUT', 1);
INSERT INTO oc_zone VALUES (1254, 81, 'Bayern', 'BAY', 1);
INSERT INTO oc_language VALUES (1, 'English', 'en-gb', 'en-US,en_US.UTF-8', 1), (2, 'Deutsch', 'de-de', 'de', 1);
INSERT INTO oc_address VALUES (11, 1, 'Ada', 'Berg', 'Berg GmbH', 'Weg 1', '', 'Ulm', '89073', 81, 1254, ''),
 (12, 2, 'Bo', 'Tal', '', 'Gasse 2', '', 'Wien', '1010', 14, 0, '');
INSERT INTO oc_customer VALUES (1, 1, 0, 2, 'Ada', 'Berg', 'ada@x.example', '0731 1', '', 'x', 'y', 0, 11, '', 1, 0),
 (2, 1, 0, 1, 'Bo', 'Tal', 'bo@x.example', '01 2', '', 'x', 'y', 0, 12, '', 1, 0);
"""
PRESTASHOP = """
CREATE TABLE ps_country (id_country INTEGER PRIMARY KEY, id_zone INTEGER, iso_code VARCHAR(3), call_prefix INTEGER,
 active INTEGER);
CREATE TABLE ps_country_lang (id_country INTEGER, id_lang INTEGER, name VARCHAR(64), PRIMARY KEY (id_country,
 id_lang));
CREATE TABLE ps_state (id_state INTEGER PRIMARY KEY, id_country INTEGER, name VARCHAR(64), iso_code VARCHAR(7),
 active INTEGER);
CREATE TABLE ps_lang (id_lang INTEGER PRIMARY KEY, name VARCHAR(32), active INTEGER, iso_code VARCHAR(2),
 language_code VARCHAR(5));
CREATE TABLE ps_employee (id_employee INTEGER PRIMARY KEY, lastname VARCHAR(32), firstname VARCHAR(32),
 email VARCHAR(128), active INTEGER);
CREATE TABLE ps_customer (id_customer INTEGER PRIMARY KEY, id_shop_group INTEGER, id_shop INTEGER, id_gender INTEGER,
 id_default_group INTEGER, id_lang INTEGER, company VARCHAR(255), siret VARCHAR(14), ape VARCHAR(5),
 firstname VARCHAR(255),
 lastname VARCHAR(255), email VARCHAR(255), passwd VARCHAR(255), birthday DATE, website VARCHAR(128), active INTEGER,
 is_guest INTEGER, deleted INTEGER);
CREATE TABLE ps_address (id_address INTEGER PRIMARY KEY, id_country INTEGER, id_state INTEGER, id_customer INTEGER,
 id_manufacturer INTEGER, id_supplier INTEGER, alias VARCHAR(32), company VARCHAR(255), lastname VARCHAR(255),
 firstname VARCHAR(255), address1 VARCHAR(128), address2 VARCHAR(128), postcode VARCHAR(12), city VARCHAR(64),
 other VARCHAR(200), phone VARCHAR(32), phone_mobile VARCHAR(32), vat_number VARCHAR(32), dni VARCHAR(16),
 active INTEGER,
 deleted INTEGER);
INSERT INTO ps_country VALUES (1, 1, 'DE', 49, 1), (8, 1, 'FR', 33, 1);
INSERT INTO ps_country_lang VALUES (1, 1, 'Allemagne'), (8, 1, 'France');
INSERT INTO ps_lang VALUES (1, 'Français', 1, 'fr', 'fr-fr'), (2, 'Deutsch', 1, 'de', 'de-de');
INSERT INTO ps_customer VALUES (1, 1, 1, 1, 3, 1, '', '', '', 'Ana', 'Roy', 'ana@x.example', 'x', NULL, '', 1, 0, 0),
 (2, 1, 2, 2, 3, 2, '', '', '', 'Bea', 'Noll', 'bea@x.example', 'x', NULL, '', 1, 0, 0);
INSERT INTO ps_address VALUES
 (1, 8, 0, 1, 0, 0, 'maison', 'Roy SA', 'Roy', 'Ana', 'Rue 1', '', '75001', 'Paris', '', '01 1', '', '', '', 1, 0),
 (2, 1, 0, 2, 0, 0, 'home', '', 'Noll', 'Bea', 'Weg 2', '', '10115', 'Berlin', '', '030 2', '0170 2', '', '', 1, 0),
 (3, 1, 0, 2, 0, 0, 'old', '', 'Noll', 'Bea', 'Weg 9', '', '10115', 'Berlin', '', '030 2', '0170 2', '', '', 1, 1);
"""
DOLIBARR = """
CREATE TABLE llx_c_country (rowid INTEGER PRIMARY KEY, code VARCHAR(2), code_iso VARCHAR(3), label VARCHAR(128),
 active INTEGER);
CREATE TABLE llx_c_departements (rowid INTEGER PRIMARY KEY, code_departement VARCHAR(6), nom VARCHAR(50),
 active INTEGER);
CREATE TABLE llx_societe (rowid INTEGER PRIMARY KEY, nom VARCHAR(128), name_alias VARCHAR(128), entity INTEGER,
 statut INTEGER,
 parent INTEGER, status INTEGER, code_client VARCHAR(24), code_fournisseur VARCHAR(24), address VARCHAR(255),
 zip VARCHAR(25),
 town VARCHAR(50), fk_departement INTEGER, fk_pays INTEGER REFERENCES llx_c_country (rowid), phone VARCHAR(30),
 phone_mobile VARCHAR(30),
 fax VARCHAR(30), url VARCHAR(255), email VARCHAR(128), siren VARCHAR(128), siret VARCHAR(128), tva_intra VARCHAR(20),
 client INTEGER, fournisseur INTEGER, default_lang VARCHAR(6));
CREATE TABLE llx_socpeople (rowid INTEGER PRIMARY KEY, fk_soc INTEGER, lastname VARCHAR(50), firstname VARCHAR(50),
 address VARCHAR(255), zip VARCHAR(25), town VARCHAR(50), email VARCHAR(128), phone VARCHAR(30));
INSERT INTO llx_c_country VALUES (1, 'FR', 'FRA', 'France', 1), (5, 'DE', 'DEU', 'Allemagne', 1);
INSERT INTO llx_societe (rowid, nom, entity, status, code_client, town, fk_pays, phone_mobile, tva_intra, client,
 default_lang) VALUES
 (1, 'Moulin SARL', 1, 1, 'CU-1', 'Lyon', 1, '06 1', 'FR1', 1, 'fr_FR'), (2, 'Stahl', 1, 1, 'CU-2', 'Ulm', 5, '',
 'DE1', 3, 'de_DE'),
 (3, 'Lieferant', 1, 1, NULL, 'Ulm', 5, '', 'DE3', 0, 'de_DE');
"""
WOOCOMMERCE = """
CREATE TABLE wp_users (ID INTEGER PRIMARY KEY, user_login VARCHAR(60), user_pass VARCHAR(255),
 user_nicename VARCHAR(50),
 user_email VARCHAR(100), user_url VARCHAR(100), display_name VARCHAR(250));
CREATE TABLE wp_usermeta (umeta_id INTEGER PRIMARY KEY, user_id INTEGER, meta_key VARCHAR(255),
 meta_value VARCHAR(200));
CREATE TABLE wp_wc_customer_lookup (customer_id INTEGER PRIMARY KEY, user_id INTEGER, username VARCHAR(60),
 first_name VARCHAR(255),
 last_name VARCHAR(255), email VARCHAR(100), country VARCHAR(2), postcode VARCHAR(20), city VARCHAR(100),
 state VARCHAR(100));
INSERT INTO wp_wc_customer_lookup VALUES (1, 1, 'ada', 'Ada', 'Berg', 'ada@x.example', 'DE', '89073', 'Ulm', 'DE-BY');
"""
SHOPWARE = """
CREATE TABLE s_core_countries (id INTEGER PRIMARY KEY, countryname VARCHAR(255), countryiso VARCHAR(255),
 active INTEGER);
CREATE TABLE s_core_countries_states (id INTEGER PRIMARY KEY, countryID INTEGER, name VARCHAR(255),
 shortcode VARCHAR(255));
CREATE TABLE s_user_addresses (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, company VARCHAR(255),
 department VARCHAR(35),
 salutation VARCHAR(30), title VARCHAR(100), firstname VARCHAR(255), lastname VARCHAR(255), street VARCHAR(255),
 zipcode VARCHAR(50),
 city VARCHAR(70), country_id INTEGER NOT NULL REFERENCES s_core_countries (id), state_id INTEGER,
 ustid VARCHAR(50), phone VARCHAR(40),
 additional_address_line1 VARCHAR(255));
CREATE TABLE s_user (id INTEGER PRIMARY KEY, password VARCHAR(1024), encoder VARCHAR(255), email VARCHAR(70),
 active INTEGER, accountmode INTEGER,
 customergroup VARCHAR(15), paymentID INTEGER, language VARCHAR(10), subshopID INTEGER,
 default_billing_address_id INTEGER REFERENCES s_user_addresses (id),
 default_shipping_address_id INTEGER REFERENCES s_user_addresses (id), title VARCHAR(100), salutation VARCHAR(30),
 firstname VARCHAR(255),
 lastname VARCHAR(255), birthday DATE, customernumber VARCHAR(30));
INSERT INTO s_core_countries VALUES (2, 'Deutschland', 'DE', 1), (23, 'Österreich', 'AT', 1);
INSERT INTO s_user_addresses (id, user_id, company, firstname, lastname, street, zipcode, city, country_id, ustid,
 phone) VALUES
 (1, 1, 'Berg GmbH', 'Ada', 'Berg', 'Weg 1', '89073', 'Ulm', 2, 'DE1', '0731 1'), (2, 2, NULL, 'Bo', 'Tal',
 'Gasse 2', '1010', 'Wien', 23, NULL, NULL);
INSERT INTO s_user (id, email, active, language, subshopID, default_billing_address_id, salutation, firstname,
 lastname, customernumber) VALUES
 (1, 'ada@x.example', 1, '1', 1, 1, 'ms', 'Ada', 'Berg', '20001'), (2, 'bo@x.example', 1, '2', 1, 2, 'mr', 'Bo',
 'Tal', '20002');
"""
ERPNEXT = """
CREATE TABLE "tabAddress" (name VARCHAR(140) PRIMARY KEY, address_title VARCHAR(140), address_type VARCHAR(140),
 address_line1 VARCHAR(240),
 address_line2 VARCHAR(240), city VARCHAR(140), county VARCHAR(140), state VARCHAR(140), country VARCHAR(140),
 pincode VARCHAR(140),
 email_id VARCHAR(140), phone VARCHAR(140), fax VARCHAR(140), disabled INTEGER);
CREATE TABLE "tabContact" (name VARCHAR(140) PRIMARY KEY, first_name VARCHAR(140), last_name VARCHAR(140),
 email_id VARCHAR(140),
 phone VARCHAR(140), mobile_no VARCHAR(140), status VARCHAR(140));
CREATE TABLE "tabCustomer" (name VARCHAR(140) PRIMARY KEY, owner VARCHAR(140), docstatus INTEGER,
 customer_name VARCHAR(140),
 customer_type VARCHAR(140), customer_group VARCHAR(140), territory VARCHAR(140), tax_id VARCHAR(140),
 email_id VARCHAR(140),
 mobile_no VARCHAR(140), disabled INTEGER, language VARCHAR(140), website VARCHAR(140),
 customer_primary_address VARCHAR(140),
 customer_primary_contact VARCHAR(140));
INSERT INTO "tabAddress" VALUES ('Grant-Billing', 'Grant', 'Billing', 'Road 1', NULL, 'Leeds', NULL, NULL,
 'United Kingdom', 'LS1', NULL, '0113 1', NULL, 0),
 ('Palm-Billing', 'Palm', 'Billing', 'Weg 2', NULL, 'Ulm', NULL, NULL, 'Germany', '89073', NULL, '0731 2', NULL, 0);
INSERT INTO "tabContact" VALUES ('Ann-Grant', 'Ann', 'Grant', 'ann@x.example', '', '07 1', 'Open');
INSERT INTO "tabCustomer" VALUES
 ('Grant Ltd', 'a', 0, 'Grant Ltd', 'Company', 'All', 'UK', 'T1', 'grant@x.example', '07 1', 0, 'en', NULL,
 'Grant-Billing', 'Ann-Grant'),
 ('Palm GmbH', 'a', 0, 'Palm GmbH', 'Company', 'All', 'DE', 'T2', 'palm@x.example', '01 2', 1, 'de', NULL,
 'Palm-Billing', NULL);
"""
SUITECRM = """
CREATE TABLE accounts (id CHAR(36) PRIMARY KEY, name VARCHAR(150), date_entered DATE, deleted INTEGER,
 account_type VARCHAR(50),
 industry VARCHAR(50), phone_fax VARCHAR(100), billing_address_street VARCHAR(150), billing_address_city VARCHAR(100),
 billing_address_state VARCHAR(100), billing_address_postalcode VARCHAR(20), billing_address_country VARCHAR(255),
 phone_office VARCHAR(100),
 phone_alternate VARCHAR(100), website VARCHAR(255), shipping_address_street VARCHAR(150),
 shipping_address_city VARCHAR(100), parent_id CHAR(36));
CREATE TABLE email_addr_bean_rel (id CHAR(36) PRIMARY KEY, email_address_id CHAR(36), bean_id CHAR(36),
 bean_module VARCHAR(100),
 primary_address INTEGER, deleted INTEGER);
CREATE TABLE email_addresses (id CHAR(36) PRIMARY KEY, email_address VARCHAR(255), email_address_caps VARCHAR(255),
 deleted INTEGER);
INSERT INTO accounts (id, name, deleted, billing_address_city, billing_address_country, phone_office) VALUES
 ('a1', 'Berg GmbH', 0, 'Ulm', 'Germany', '0731 1'), ('a2', 'Tal AG', 0, 'Wien', 'AUSTRIA', '01 2');
INSERT INTO email_addresses VALUES ('e1', 'berg@x.example', 'BERG@X.EXAMPLE', 0);
INSERT INTO email_addr_bean_rel VALUES ('r1', 'e1', 'a1', 'Accounts', 1, 0);
"""
SHOPS: Mapping[str, str] = {
    "chinook": CHINOOK,
    "northwind": NORTHWIND,
    "pagila": PAGILA,
    "odoo": ODOO,
    "opencart": OPENCART,
    "prestashop": PRESTASHOP,
    "dolibarr": DOLIBARR,
    "woocommerce": WOOCOMMERCE,
    "shopware": SHOPWARE,
    "erpnext": ERPNEXT,
    "suitecrm": SUITECRM,
}


def statements(shop: str, dialect: str) -> list[str]:
    """The statements that make a shop, in the spelling of a database."""
    text = SHOPS[shop].replace('"', "`") if dialect == "mysql" else SHOPS[shop]
    return [each.strip() for each in text.split(";") if each.strip()]
