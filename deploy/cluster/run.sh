#!/usr/bin/env bash
# Runs the suites, then the end-to-end scenario, beside real Kafka, MinIO, Postgres
# and ClickHouse servers. `make test-cluster` builds the programs and calls this.
set -euo pipefail
cd "$(dirname "$0")/../.."
deploy/cluster/install.sh
go build -o bin/cluster ./deploy/cluster
exec bin/cluster run -- bash -euc '
  go test -count=1 -tags cluster ./deploy/cluster ./internal/blob ./internal/catalog ./internal/jobs
  go test -count=1 -timeout 40m ./transcode -run TestKilledWorkers -args -long
  npm run --silent test:cluster -w e2e
'
