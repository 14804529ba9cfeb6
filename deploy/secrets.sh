#!/bin/sh
# Makes what `docker compose up` reads from the folder secrets: random passwords, once. What is there stays.
# `deploy/secrets.sh rotate ticket-svc-signing-key` (or link-key) puts a new key above those there are.
set -eu
umask 077
cd "$(dirname "$0")/.."
mkdir -p secrets

random() {
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}

# Containers run as another user: the files are readable, the folder is not.
keep() {
    [ -e "secrets/$1" ] || cat >"secrets/$1"
    chmod 444 "secrets/$1"
}

password_of() {
    sed -E 's|^[^:]+://[^:]+:([^@]+)@.*|\1|' "secrets/$1"
}

if [ "${1-}" = rotate ]; then
    keys=secrets/$2
    { random && echo && cat "$keys"; } >"$keys.new"
    chmod 444 "$keys.new"
    mv -f "$keys.new" "$keys"
    echo "secrets: $keys begins with a new key: recreate the services that read it"
    exit
fi

random | keep postgres-password
random | keep ticket-svc-signing-key
random | keep link-key
echo '[]' | keep mail-ingest-svc-mailboxes
echo 'maildir:/var/lib/deskwire/outgoing' | keep notify-svc-smtp-url

echo "amqp://operator:$(random)@rabbitmq:5672/deskwire" | keep operator-broker-url
edit="s|@operator@|$(password_of operator-broker-url)|"
for service in gateway mail-ingest-svc notify-svc scheduler-svc ticket-svc; do
    echo "postgresql://$service:$(random)@postgres:5432/$service" | keep "$service-database-url"
    echo "amqp://$service:$(random)@rabbitmq:5672/deskwire" | keep "$service-broker-url"
    edit="$edit;s|@$service@|$(password_of "$service-broker-url")|"
done
sed "$edit" deploy/rabbitmq/definitions.json | keep rabbitmq-definitions.json

echo "secrets: ready; mail comes in by secrets/mail-ingest-svc-mailboxes (a JSON list of URLs)"
echo "secrets: and goes out by secrets/notify-svc-smtp-url (smtp://, smtps:// or a maildir)"
