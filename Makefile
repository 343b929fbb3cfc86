# Switchhook. `make help` lists the targets.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty --abbrev=12 2>/dev/null || echo development)
LDFLAGS := -s -w -X github.com/switchhook/switchhook/pkg/cli.Version=$(VERSION)
TOOL    := $(GO) tool -modfile=tools/go.mod
# What a change is compared with for `buf breaking`.
MAIN    ?= main
FUZZTIME ?= 10s
# The version of axe-core.
AXE      ?= 4.14.1
# What make images builds (all, unless it says so), and what stands before the names.
IMAGES     ?=
REPOSITORY ?= ghcr.io/switchhook
# Another version of Go would make other bytes of the same commit.
TOOLCHAIN  := go$(shell awk '$$1 == "go" {print $$2}' tools/images/go.mod)

SERVICES := $(notdir $(patsubst %/main.go,%,$(wildcard services/*/main.go)))

.PHONY: cluster-test observability-test dashboards check help build test axe demo generate generate-check breaking lint arch fuzz chaos bench images images-test k8s-lint k8s-test k8s-copies clean

check: generate-check breaking lint arch build test k8s-lint ## everything that CI demands

help: ## this list
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "  \033[36m%-20s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## the programs, into bin/
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ $(addprefix ./services/,$(SERVICES))

test: axe ## all tests, with the race detector
	$(GO) test -race -timeout 10m $$($(GO) list ./... | grep -vE '/test/(e2e|browser|cluster)$$')
	@# Not from the cache, which does not know of the programs that these tests build.
	$(GO) test -race -timeout 15m -count 1 -p 2 $$($(GO) list ./test/... | grep -E '/test/(e2e|browser|cluster)$$')

axe: bin/axe.min.js

bin/axe.min.js: # by which the browser tests judge whether everybody can use the page
	@mkdir -p bin && cd bin && npm pack --silent axe-core@$(AXE) >/dev/null && \
		tar -xzf axe-core-$(AXE).tgz --strip-components 1 package/axe.min.js && rm axe-core-$(AXE).tgz && touch axe.min.js

cluster-test: ## three NATS servers, each service with its own user: permissions, rolling restarts, scaling, a second site
	$(GO) test -race -timeout 15m -count 1 ./test/cluster

demo: build ## standalone with simulated exchanges; prints the events as they come
	@./scripts/demo

generate: ## Go code from proto/
	$(TOOL) buf generate

generate-check: generate ## the committed code is what proto/ gives
	@git diff --exit-code -- proto || { echo 'generated code is stale: commit what make generate wrote' >&2; exit 1; }

breaking: ## no change of proto/ breaks those who build on it
	@if git rev-parse -q --verify $(MAIN):proto >/dev/null; then \
		$(TOOL) buf breaking --against '.git#ref=$(MAIN)'; \
	else echo 'buf breaking: $(MAIN) has no proto/ yet, nothing to compare with'; fi

lint: ## buf lint and golangci-lint
	$(TOOL) buf lint
	$(TOOL) golangci-lint run ./...

arch: ## who may import whom
	@./scripts/arch

fuzz: ## every fuzz target for FUZZTIME each
	@./scripts/fuzz $(FUZZTIME)

chaos: ## the long form of the tests that kill processes
	$(GO) test -race -timeout 60m -count 1 -run 'Kill|Replicas|Figures|MissedCalls|Hostile|Spool' ./test/e2e -long
	$(GO) test -race -timeout 60m -count 1 ./test/cluster -long

bench: build ## figures, with the method beside them; see test/bench/README.md
	$(GO) test -run '^$$' -bench . -benchtime 3s ./pkg/... ./services/...
	$(GO) run ./test/bench
	$(GO) run ./test/bench -sockets 5000

images: ## images of all services, or IMAGES="ingress-ipex …", into bin/images; see deploy/README.md
	cd tools/images && GOTOOLCHAIN=$(TOOLCHAIN) $(GO) run . -checkout '$(CURDIR)' -out '$(CURDIR)/bin/images' \
		-repository '$(REPOSITORY)' -version '$(VERSION)' $(IMAGES)

images-test: ## builds all images, reads them back, and holds deploy/Dockerfile against them
	cd tools/images && export GOTOOLCHAIN=$(TOOLCHAIN) && $(GO) vet ./... && $(GO) test -timeout 20m -count 1 ./...

# Go's cache of test results does not know of the manifests.
k8s-lint: ## k8s/ and the Helm chart: rendered, read strictly, judged by a policy linter, held against each other
	cd test/k8s && $(GO) test -count 1 ./lint

k8s-test: k8s-lint ## all of them applied to a real API server; the first time builds Kubernetes, 5 to 10 minutes
	cd test/k8s && $(GO) test -count 1 -timeout 60m ./cluster $(if $(LONG),-long)

k8s-copies: ## in k8s/ and the chart, the copies of NATS' configuration, alerts and examples
	cd test/k8s && $(GO) test -count 1 -run TestCopies ./lint -update

observability-test: ## dashboards and alert rules against what the services expose; traces; the compose file
	promtool check rules deploy/prometheus/alerts.yaml
	promtool test rules deploy/prometheus/alerts_test.yaml
	cd test/observability && $(GO) test -timeout 10m -count 1 ./...
	cd test/compose && $(GO) test -count 1 ./...

dashboards: ## deploy/grafana, from test/observability
	cd test/observability && $(GO) run ./generate ../../deploy/grafana

clean: ## remove what was built
	rm -rf bin
