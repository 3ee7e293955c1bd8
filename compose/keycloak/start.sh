#!/bin/bash
# Keycloak reads passwords from its environment only: give it those that init made. The realm is imported once, while
# there is none of its name; the folder data is in memory.
set -eu
secrets=/run/refdesk
KC_DB_PASSWORD=$(<"$secrets/database")
KC_BOOTSTRAP_ADMIN_PASSWORD=$(<"$secrets/admin")
REFDESK_OIDC_CLIENT_SECRET=$(<"$secrets/client")
export KC_DB_PASSWORD KC_BOOTSTRAP_ADMIN_PASSWORD REFDESK_OIDC_CLIENT_SECRET
mkdir -p /opt/keycloak/data/import
cp /opt/refdesk/realm.json /opt/keycloak/data/import/
exec /opt/keycloak/bin/kc.sh start --optimized --import-realm "$@"
