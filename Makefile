# Two commands do everything on a fresh Debian machine, as root or not:
#   make demo    a call centre to look at (flags: make demo DEMO="--for 60s")
#   make test    every test that needs no special hardware
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

GO       ?= go
BIN      := bin
CONSOLE  := api/console
LINT     := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.13.1
FAST     := ./orchestrator/... ./api/... ./adapters/journal/... ./adapters/speech/... ./cmd/ringmaster/cli/...
BENCHES  := ./orchestrator/...
ENCODERS := asterisk:FuzzEncodeCreate asterisk:FuzzEncodeOthers asterisk:FuzzEncodeVariable freeswitch:FuzzEncodeDial freeswitch:FuzzEncodeOthers
FUZZ     ?= 2000000
# What fuzzing found worth keeping goes on from one run to the next.
CORPUS    = "$$($(GO) env GOCACHE)/fuzz/ringmaster/adapters"

# Said at both ends of the tests, because the middle is long.
FREESWITCH_PART = if [ -z "$${RINGMASTER_FREESWITCH:-}" ]; then \
	  echo "FreeSWITCH: the live part is NOT run, because RINGMASTER_FREESWITCH is not set (the prefix, with bin/freeswitch)."; \
	elif [ ! -x "$$RINGMASTER_FREESWITCH/bin/freeswitch" ]; then \
	  echo "FreeSWITCH: the live part is NOT run, because there is no $$RINGMASTER_FREESWITCH/bin/freeswitch."; \
	else echo "FreeSWITCH: the live part is run, with $$RINGMASTER_FREESWITCH/bin/freeswitch."; fi

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: ## Run a call centre: real Asterisk, five desk phones, callers, console on http://localhost:8080
	@docker/install.sh demo
	@echo "Building (the first time takes a minute or two) ..."
	@$(MAKE) --no-print-directory build
	@exec $(BIN)/demo $(DEMO)

test: ## Run every test that needs no special hardware, installing what is missing
	@$(FREESWITCH_PART)
	@docker/install.sh test
	@$(MAKE) --no-print-directory $(CONSOLE)/dist/index.html
	@$(MAKE) --no-print-directory console-test
	$(GO) vet ./...
	@$(GO) test -count=1 -timeout 55m -p 1 ./... || status=$$?; $(FREESWITCH_PART); exit $${status:-0}

check: ## Run the fast tests: format, vet, unit, transcript, property, a short simulation
	@test -z "$$(gofmt -s -l $$(git ls-files '*.go' | grep -v _gen.go))" || { gofmt -s -l $$(git ls-files '*.go' | grep -v _gen.go); echo "run gofmt -s -w on these"; exit 1; }
	$(GO) vet ./...
	$(GO) test -count=1 -timeout 10m -short $(FAST)

build: $(CONSOLE)/dist/index.html ## Build ringmaster, phonebank and the demo into bin/
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN)/ ./cmd/... ./docker/demo

console: ## Build the web console
	@rm -f $(CONSOLE)/dist/index.html
	@$(MAKE) --no-print-directory $(CONSOLE)/dist/index.html

$(CONSOLE)/dist/index.html: $(shell find $(CONSOLE)/src $(CONSOLE)/package-lock.json $(CONSOLE)/vite.config.ts api/openapi.yaml -type f 2>/dev/null)
	cd $(CONSOLE) && npm ci --no-audit --no-fund --loglevel=error && npm run build

console-test: ## Check the console's types and units
	cd $(CONSOLE) && npm run check && npm test

generate: ## Generate the API from api/openapi.yaml
	$(GO) generate ./...

lint: ## Run the linters of .golangci.yml
	$(GO) run $(LINT) run ./...

docker: ## Start a center in containers: PostgreSQL, Asterisk, Ringmaster (docker/README.md)
	@docker/setup.sh
	@if docker compose version >/dev/null 2>&1; then compose="docker compose"; else compose=docker-compose; fi; \
	cd docker && $$compose up --build --detach

bench: ## Run the benchmarks the README quotes
	$(GO) test -run '^$$' -bench . -benchmem $(BENCHES)

sim: ## Simulate 10,000 seeds of calls, faults and restarts (15 minutes of one core)
	$(GO) test -count=1 -v -timeout 30m ./orchestrator/simulation -run TestSeeds -sim.seeds=10000

fuzz: ## Fuzz what speaks to the switches: 10 million executions of the encoders
	@mkdir -p $(CORPUS); for kind in asterisk freeswitch; do tar -xzf adapters/$$kind/testdata/corpus.tar.gz -C $(CORPUS); done
	@for target in $(ENCODERS); do \
	  $(GO) test -run '^$$' -fuzz "^$${target#*:}$$" -fuzztime $(FUZZ)x -fuzzminimizetime 1x "./adapters/$${target%:*}"; done
	@for kind in asterisk freeswitch; do tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cC $(CORPUS) $$kind \
	  | gzip -n9 > adapters/$$kind/testdata/corpus.tar.gz; done

matrix: ## Break things under load on both real switches, and load them until they are slow (85 minutes, alone on the machine)
	$(GO) test -count=1 -v -timeout 150m -run 'UnderLoad|TestTakeOver|TestHandOver|TestLoad|TestCrashLoop|TestFrozenAlone|TestResetInMidFrame|TestHalfOpen|TestSlowWire|TestPastTheKnee|TestSurge' ./cmd/ringmaster/e2e -long -e2e.takeovers=12

clean: ## Remove what was built; the Asterisk root in .lab stays
	rm -rf $(BIN) $(CONSOLE)/node_modules
	find $(CONSOLE)/dist -mindepth 1 ! -name README -delete

.PHONY: help demo test check build console console-test generate lint docker bench sim fuzz matrix clean
