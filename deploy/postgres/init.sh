#!/bin/sh
# One role and one database per service, from the URLs in secrets. No role sees another's tables.
set -eu
secrets=${SECRETS:-/run/secrets}

for file in "$secrets"/*-database-url; do
    service=$(basename "$file" -database-url)
    password=$(sed -E 's|^[^:]+://[^:]+:([^@]+)@.*|\1|' "$file")
    case $service in
        gateway) statement_timeout=5s ;; # somebody waits for the answer
        *) statement_timeout=30s ;;
    esac
    psql -v ON_ERROR_STOP=1 --quiet --no-psqlrc --username "${POSTGRES_USER:-postgres}" --dbname postgres \
        -v service="$service" -v password="$password" -v statement_timeout="$statement_timeout" <<'SQL'
CREATE ROLE :"service" LOGIN PASSWORD :'password' NOSUPERUSER NOCREATEDB NOCREATEROLE;
ALTER ROLE :"service" SET statement_timeout = :'statement_timeout';
ALTER ROLE :"service" SET lock_timeout = '3s';
ALTER ROLE :"service" SET idle_in_transaction_session_timeout = '30s';
ALTER ROLE :"service" SET timezone = 'UTC';
CREATE DATABASE :"service" OWNER :"service" ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE :"service" FROM PUBLIC;
SQL
done
