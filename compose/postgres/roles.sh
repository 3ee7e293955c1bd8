#!/bin/sh
# Once, on an empty volume: Refdesk's database and Keycloak's, each with a login of its own that is no superuser.
# Passwords come from files that init made; psql quotes them.
set -eu
secrets=/run/refdesk
psql --quiet --set ON_ERROR_STOP=1 --username postgres --dbname postgres \
    --set refdesk="$(cat "$secrets/refdesk")" --set keycloak="$(cat "$secrets/keycloak")" <<'SQL'
CREATE ROLE refdesk_app NOLOGIN;
CREATE ROLE refdesk LOGIN PASSWORD :'refdesk';
GRANT refdesk_app TO refdesk;
CREATE DATABASE refdesk OWNER refdesk;
CREATE ROLE keycloak LOGIN PASSWORD :'keycloak';
CREATE DATABASE keycloak OWNER keycloak;
REVOKE CONNECT ON DATABASE refdesk, keycloak FROM PUBLIC;
SQL
