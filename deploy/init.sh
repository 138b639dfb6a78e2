#!/usr/bin/env bash
# Writes .env with fresh secrets, and the empty file for the key that Prometheus shows. Never overwrites either.
set -euo pipefail
cd "$(dirname "$0")/.."
umask 077
secret() { head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n'; }
if [ ! -e .env ]; then
    sed -E "s/^(PG_PASSWORD|REDIS_PASSWORD|GRAFANA_PASSWORD|TALON_ADMIN_KEY|ENGINE_KEY)=$/\1=@secret@/" .env.example |
        while IFS= read -r line; do
            case "$line" in
                *=@secret@) echo "${line%@secret@}$(secret)" ;;
                TALON_WEBHOOK_SECRET=) echo "${line}whsec_$(head -c 32 /dev/urandom | base64)" ;;
                *) echo "$line" ;;
            esac
        done >.env
    echo "wrote .env"
fi
mkdir -p deploy/secrets
if [ ! -e deploy/secrets/prometheus_key ]; then
    # Prometheus runs as another user; the folder keeps the file from the rest.
    install --mode=0644 /dev/null deploy/secrets/prometheus_key
    cat <<'TEXT'
made deploy/secrets/prometheus_key; fill it once the API runs:
  docker compose exec -T api sh -c 'TALON_API_KEY=$TALON_ADMIN_KEY talon key create --team operations --role operator --name prometheus' >deploy/secrets/prometheus_key
TEXT
fi
