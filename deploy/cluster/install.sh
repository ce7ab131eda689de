#!/usr/bin/env bash
# Fetches the servers that the cluster tests run: Java and PostgreSQL from Debian,
# Apache Kafka from Maven Central (pom.xml pins it), MinIO built from its source.
# MinIO is AGPL: it only ever runs as a process of its own, nothing links it.
# Quick when nothing is missing. The ClickHouse engine comes with `npm ci`.
set -euo pipefail
cd "$(dirname "$0")"

# The last commit of MinIO's archived repository that the Go proxy serves.
minio=github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c
cache="${XDG_CACHE_HOME:-$HOME/.cache}/vitascope-cluster"
mkdir -p "$cache"

packages=()
command -v java >/dev/null || packages+=(openjdk-17-jre-headless)
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || packages+=(postgresql)
kafka_is_there() { cmp -s pom.xml "$cache/kafka/pom.xml"; }
kafka_is_there || command -v mvn >/dev/null || packages+=(maven)

if ((${#packages[@]})); then
  echo "Installing: ${packages[*]}"
  sudo=()
  if ((EUID != 0)); then
    command -v sudo >/dev/null || { echo "These packages are missing and need root to install: ${packages[*]}" >&2; exit 1; }
    sudo=(sudo)
  fi
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi

# What is fetched appears whole or not at all: it is moved into place at the end.
work=$(mktemp -d "$cache/.install-XXXXXX")
trap 'rm -rf "$work"' EXIT

if ! kafka_is_there; then
  echo "Fetching Apache Kafka"
  mvn -q -B -f pom.xml dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$work/kafka"
  cp pom.xml "$work/kafka/pom.xml"
  rm -rf "$cache/kafka"
  mv -T "$work/kafka" "$cache/kafka"
fi

if [[ "$(cat "$cache/minio/version" 2>/dev/null || true)" != "$minio" ]]; then
  echo "Building MinIO (some minutes the first time)"
  mkdir "$work/minio"
  (cd "$work" && GOBIN="$work/minio" GOFLAGS="-p=2 -ldflags=-s" go install "$minio")
  echo "$minio" >"$work/minio/version"
  rm -rf "$cache/minio"
  mv -T "$work/minio" "$cache/minio"
fi
