# Vitascope: `make run` starts it, `make test` tests it, `make help` lists the rest.
SHELL := bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

BIN := bin/vitascope bin/vitascope-media
WEB := player/web/dist/manifest.json analytics/dashboard/dist/app/index.html

GO_FILES := $(shell find cmd internal ingest transcode player analytics deploy -name '*.go' -o -name '*.[ch]' -o -name '*.sql' -o -path 'player/pages/*' -type f 2>/dev/null | grep -v node_modules)

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: install build ## Install what is missing, build, start everything on this machine
	bin/vitascope serve

.PHONY: build
build: web $(BIN) ## Build both programs into bin/

.PHONY: install
install:
	@scripts/install.sh run

# What building needs, in a checkout in which nothing was run before.
PACKAGES := node_modules/.vitascope-lock
$(PACKAGES): package-lock.json
	@scripts/install.sh run
	@touch $@

.PHONY: web
web: $(WEB) ## Build the player and the dashboard

player/web/dist/manifest.json: package-lock.json $(shell find player/web/src player/web/build.mjs player/web/package.json -type f 2>/dev/null) | $(PACKAGES)
	npm run --silent build -w player/web

analytics/dashboard/dist/app/index.html: package-lock.json $(shell find analytics/dashboard/src analytics/dashboard/index.html analytics/dashboard/vite.config.ts analytics/dashboard/package.json -type f 2>/dev/null) | $(PACKAGES)
	npm run --silent build -w analytics/dashboard

bin/vitascope: go.mod $(GO_FILES) $(WEB)
	go build -o $@ ./cmd/vitascope

bin/vitascope-media: go.mod $(GO_FILES) | $(PACKAGES)
	go build -o $@ ./cmd/vitascope-media

.PHONY: test
test: ## Install what tests need, run all of them
	@scripts/install.sh test
	$(MAKE) --no-print-directory build check test-go test-web e2e

.PHONY: check
check: ## Types and formatting
	@test -z "$$(gofmt -l cmd internal ingest transcode player analytics deploy)" || { gofmt -l cmd internal ingest transcode player analytics deploy; exit 1; }
	go vet ./...
	npm run --silent check -w player/web
	npm run --silent check -w analytics/dashboard

.PHONY: test-go
test-go:
	go test -timeout 40m ./...

.PHONY: test-web
test-web:
	npm test --silent -w player/web
	npm test --silent -w analytics/dashboard
	npm run --silent test:browser -w player/web

.PHONY: e2e
e2e: build ## One scenario in a real browser: upload, play, heatmap; and a kill -9
	npm test --silent -w e2e

.PHONY: test-cluster
test-cluster: ## The same scenario against real Kafka, MinIO, Postgres and ClickHouse servers
	@scripts/install.sh test
	$(MAKE) --no-print-directory build
	deploy/cluster/run.sh

.PHONY: test-hostile
test-hostile: ## 2,000 damaged files, and every kind that names others, against the sandbox
	go test ./transcode/child -count=1 -timeout 30m -run 'TestFilesThat|TestDamaged' -args -long

.PHONY: test-views
test-views: build ## A hundred scripted views in a browser against what the figures say of them
	@scripts/install.sh test
	VIEWS=100 npm run --silent test:views -w e2e

.PHONY: ledger
ledger: build ## 20 rounds of kills, freezes and cuts; every beacon counted again (LEDGER=-long: 200)
	go build -o bin/ledger ./deploy/ledger
	bin/ledger $(LEDGER)

.PHONY: ledger-away
ledger-away: build ## ClickHouse away for 10 minutes, the broker for 5, a sink for good: nothing lost, and how soon all is caught up
	go build -o bin/ledger ./deploy/ledger
	bin/ledger -away clickhouse
	bin/ledger -away broker
	bin/ledger -takeover

.PHONY: ledger-abuse
ledger-abuse: build ## A million made-up views, forged tokens, replays, bombs: honest figures, memory and parts stay as they are
	go build -o bin/ledger ./deploy/ledger
	bin/ledger -abuse $(LEDGER)

.PHONY: lint
lint: ## Static analysis
	go vet ./...
	go run golang.org/x/vuln/cmd/govulncheck@v1.9.0 ./...

.PHONY: race
race: build ## The Go tests again under the race detector; slow, and its first build is slower
	go test -race ./...

.PHONY: bench
bench: build ## Measure; one JSON line a measure
	@scripts/install.sh bench
	go run ./deploy/bench

.PHONY: bench-heatmap
bench-heatmap: ## Heatmaps, reports and filters at 1 M, 20 M and 100 M intervals (DATA=dir keeps them)
	go run ./deploy/bench -only heatmap -long $(if $(DATA),-data $(DATA))

.PHONY: bench-beacons
bench-beacons: ## Beacons received beside nginx's 204, the whole path into ClickHouse, and how late they show
	@scripts/install.sh bench
	$(MAKE) --no-print-directory build
	go run ./deploy/bench -only beacons

.PHONY: bench-player
bench-player: web ## Click to first frame and ten embeds beside npm's players, in Chromium
	@scripts/install.sh test
	node player/web/bench/first-frame.mjs
	node player/web/bench/embeds.mjs

.PHONY: bench-origin
bench-origin: build ## Hot and cold segments and playlists beside nginx
	@scripts/install.sh bench
	go run ./deploy/bench -only origin

# One measure alone: BENCH_FLAGS="-measures ladder_cpu"; -clips DIR keeps the clips.
.PHONY: bench-transcode
bench-transcode: build ## Measure instant and first rungs, ladders and workers beside ffmpeg
	deploy/cluster/install.sh
	go run ./deploy/bench -only transcode $(BENCH_FLAGS)

.PHONY: fuzz
fuzz: ## Fuzz the parsers of foreign input, 30 s each
	scripts/fuzz.sh 30s

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin player/web/dist/assets player/web/dist/manifest.json analytics/dashboard/dist/app
