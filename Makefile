# make help lists what there is. CONTRIBUTING.md says when to use what.

GOLANGCI_LINT_VERSION := v2.15.0
GOVULNCHECK_VERSION   := v1.8.0
GORELEASER_VERSION    := v2.15.4
HELM_VERSION          := v4.3.1
# With a Helm 3 inside.
HELM_UNITTEST_VERSION := $(shell sed -n 's|.*/helm-unittest \(v[0-9.]*\).*|\1|p' tools/helm-unittest/go.mod)
HELM_DOCS_VERSION     := v1.14.2
KUBECONFORM_VERSION   := v0.8.0
# What the chart's objects are held against.
KUBERNETES_VERSION          := v1.36.3
PROMETHEUS_OPERATOR_VERSION := v0.92.0
GATEWAY_API_VERSION         := v1.5.1

# How long each fuzz target runs.
FUZZTIME ?= 10s

# A tag is v1.2.3, and its version 1.2.3.
VERSION := $(patsubst v%,%,$(shell git describe --tags --always --dirty 2>/dev/null || echo devel))

# Tools are kept outside of the tree, by version: a clean clone finds them again.
TOOLS         := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/prewarm-tools
GOLANGCI_LINT := $(TOOLS)/golangci-lint-$(GOLANGCI_LINT_VERSION)/golangci-lint
GOVULNCHECK   := $(TOOLS)/govulncheck-$(GOVULNCHECK_VERSION)/govulncheck
GORELEASER    := $(TOOLS)/goreleaser-$(GORELEASER_VERSION)/goreleaser
HELM          := $(TOOLS)/helm-$(HELM_VERSION)/helm
HELM_UNITTEST := $(TOOLS)/helm-unittest-$(HELM_UNITTEST_VERSION)/helm-unittest
HELM_DOCS     := $(TOOLS)/helm-docs-$(HELM_DOCS_VERSION)/helm-docs
KUBECONFORM   := $(TOOLS)/kubeconform-$(KUBECONFORM_VERSION)/kubeconform
KUBESCHEMAS   := $(TOOLS)/kubeschemas-$(KUBERNETES_VERSION)-$(PROMETHEUS_OPERATOR_VERSION)-$(GATEWAY_API_VERSION)

# Docker Compose is a module of its own: go install refuses one that excludes
# versions, and its 600 lines of go.sum are none of the program's.
COMPOSE_VERSION := $(shell sed -n 's|.*github.com/docker/compose/v2 \(v[^ ]*\).*|\1|p' tools/compose/go.mod)
COMPOSE         := $(TOOLS)/compose-$(COMPOSE_VERSION)/docker-compose

# The packages that have tests, or benchmarks, of a kind: found, so that a new
# one is never forgotten.
packages_with = $(sort $(dir $(shell grep -rlE $(1) --include='*_test.go' .)))

# The tests behind a build tag, as a pattern for -run: their packages have others,
# which make race has run.
tests_behind = ^($(shell grep -rlE '^//go:build $(1)$$' --include='*_test.go' . | xargs grep -hoE '^func Test\w+' | sed 's/^func //' | grep -vx TestMain | paste -sd'|'))$$

.DEFAULT_GOAL := help
.PHONY: help build image deb demo bench soak \
	setup unit race e2e engine29 e2e29 test promtool \
	airflow-setup airflow-unit airflow-e2e airflow-test airflow-bench \
	install-test chart-test chart-generate test-all \
	vet lint fmt modules vuln fuzz fuzz-api benchmarks \
	release-check generate generated clean

help: ## list the targets
	@awk -F ':.*## ' '/^## / { print "\n" substr($$0, 4) } /^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

## Building and trying

build: ## build bin/prewarm
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/prewarm ./cmd/prewarm

image: ## build the container image in bin/image, and load it into the engine that docker speaks to
	go run ./tools/image -o bin/image -version '$(VERSION)'

deb: $(GORELEASER) ## build the Debian package of this machine, in dist
	PREWARM_ONLY=$$(go env GOARCH) sh tools/goreleaser.sh $(GORELEASER) release --snapshot --clean --skip publish,archive

demo: setup ## show the whole job on three real Docker hosts (root)
	go build -o bin/demo ./test/demo
	exec bin/demo

bench: setup ## measure against docker run and docker pull (root)
	go run ./test/bench

soak: setup ## let runs survive ten minutes of faults on three real Docker hosts (root)
	go run ./test/soak

## Testing

setup: ## install what the tests need from Debian's packages (root)
	sh tools/setup.sh
	sh test/setup.sh

unit: ## test without engines, quickly
	go test ./...

race: ## test without engines, with the race detector
	sh tools/racetest.sh -timeout 10m ./...

# One package at a time: each starts engines of its own, and an engine that has
# to share its cores with two others is slow enough to fail a test. Whether
# the benchmarks work is a matter of make benchmarks.
e2e: ## test on real engines, with the race detector (root, after setup)
	sh tools/racetest.sh -tags e2e -p 1 -count 1 -timeout 20m -run '$(call tests_behind,e2e)' $(filter-out ./test/bench/,$(call packages_with,'^//go:build e2e$$'))

engine29: setup ## build a current Docker Engine for the tests of mixed fleets (root; some minutes, once)
	sh test/setup.sh engine29
	go run ./test/rig engine29

e2e29: engine29 ## test on the current engine, too (root)
	sh tools/racetest.sh -tags e2e,engine29 -p 1 -count 1 -timeout 20m -run '$(call tests_behind,e2e && engine29)' $(call packages_with,'^//go:build e2e && engine29$$')

# race runs what unit runs.
test: setup race e2e ## all tests, from nothing on a bare Debian machine with Go (root)

promtool: ## test the alert rules, the dashboard and a scrape with Debian's promtool (root, to install it)
	sh test/setup.sh promtool
	go test -tags promtool -count 1 -run Promtool $(call packages_with,'^//go:build promtool$$')

airflow-setup: setup ## make the Python environments for the Airflow provider's tests (some minutes, once)
	for name in tools airflow-3.3 airflow-3.1 airflow-2.11; do sh tools/airflow.sh $(TOOLS) $$name || exit; done

airflow-unit: airflow-setup ## test the Airflow provider without engines, on each Airflow; style, types, packages
	sh tools/airflow-unit.sh $(TOOLS)

airflow-e2e: airflow-setup ## test the Airflow provider in real Airflows, on real engines (root)
	PREWARM_TOOLS=$(TOOLS) $$(sh tools/airflow.sh $(TOOLS) airflow-3.3)/bin/python -B -m pytest airflow/tests/e2e -v

airflow-test: airflow-unit airflow-e2e ## all tests of the Airflow provider, from nothing (root)

airflow-bench: setup ## measure the Airflow provider against DockerOperator, on a real engine (root)
	exec $$(sh tools/airflow.sh $(TOOLS) airflow-3.3)/bin/python -B airflow/bench/bench.py

# What docs/install tells of, done. Each part builds its tools once.
# The figures of the footprint are printed, and never fail it.
install-test: setup $(COMPOSE) $(GORELEASER) chart-test ## install by image, Debian package, compose, chart and tutorial, and use it there (root)
	sh test/setup.sh install
	sh tools/airflow.sh $(TOOLS) airflow-3.3
	go test -tags install -count 1 -timeout 20m -v ./test/install

# The tools take some minutes, once. Without a cluster the chart is rendered and
# read, and installed nowhere.
chart_tools := $(HELM) $(HELM_UNITTEST) $(HELM_DOCS) $(KUBECONFORM) $(KUBESCHEMAS)
chart_env   := HELM=$(HELM) HELM_UNITTEST=$(HELM_UNITTEST) HELM_DOCS=$(HELM_DOCS) KUBECONFORM=$(KUBECONFORM) KUBESCHEMAS=$(KUBESCHEMAS)

chart-test: $(chart_tools) ## test the Helm chart: lint, unit tests, schemas, its examples and its page
	$(chart_env) go test -tags chart -count 1 -timeout 10m ./test/chart

chart-generate: $(chart_tools) ## write the Helm chart's page, and its examples as they are rendered
	$(chart_env) go test -tags chart -count 1 ./test/chart -run 'TestCopies|TestPage|TestExamples' -update

test-all: e2e29 airflow-test install-test release-check promtool modules generated vet lint benchmarks fuzz fuzz-api vuln ## the rest of what CI asks of a change

vet: ## look for what compiles and is wrong, in tagged files too
	go vet ./...
	go vet -tags e2e,engine29,promtool,install,chart ./...
	go vet -tags failpoints ./...

lint: $(GOLANGCI_LINT) ## check style, format and import arrows
	$(GOLANGCI_LINT) run

fmt: $(GOLANGCI_LINT) ## format the code
	$(GOLANGCI_LINT) fmt

modules: ## check that go.mod and go.sum are what the code needs
	go mod tidy -diff
	go mod verify

vuln: $(GOVULNCHECK) ## look for known vulnerabilities in what the code calls
	go run ./tools/vulncheck -tool $(GOVULNCHECK) ./...

fuzz: ## run each fuzz target for FUZZTIME
	sh tools/fuzz.sh $(FUZZTIME)

fuzz-api: ## fuzz the HTTP API by its OpenAPI document
	sh tools/apifuzz.sh $(TOOLS)

benchmarks: setup ## run each Go benchmark once, and what make bench measures, to see that it works (root)
	go test -run '^$$' -bench . -benchtime 1x $(call packages_with,'^func Benchmark')
	go test -tags e2e -count 1 -timeout 20m -run '$(call tests_behind,e2e)' ./test/bench

## Releasing

# Nothing is published: CONTRIBUTING.md says how that is done.
release-check: $(GORELEASER) ## make all that a release is made of, in dist, and look at it (root, to install lintian)
	sh test/setup.sh release
	sh tools/goreleaser.sh $(GORELEASER) check
	sh tools/goreleaser.sh $(GORELEASER) release --snapshot --clean --skip publish
	sh tools/releasecheck.sh

## Generated files

generate: ## make the generated files anew
	go test ./internal/server -run 'TestOpenAPI|TestErrorsPage' -update
	go test ./internal/server -run TestEventsPage -update
	go test ./internal/notify -run TestKindsPage -update
	go test ./cmd/prewarm -run TestReference -update
	go test ./config -run TestSchema -update
	go test ./internal/metrics -run 'TestTable|TestScrape' -update
	go test ./test/chart -run TestCopies -update

generated: ## fail if generate would change something
	sh tools/generated.sh

## Housekeeping

clean: ## remove what was built
	rm -rf bin dist

$(GOLANGCI_LINT):
	GOBIN=$(@D) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)

$(GORELEASER):
	GOBIN=$(@D) go install github.com/goreleaser/goreleaser/v2@$(GORELEASER_VERSION)

$(GOVULNCHECK):
	GOBIN=$(@D) go install golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION)

$(COMPOSE):
	CGO_ENABLED=0 go build -C tools/compose -trimpath -ldflags '-s -w -X github.com/docker/compose/v2/internal.Version=$(COMPOSE_VERSION)' -o $@ github.com/docker/compose/v2/cmd

$(HELM):
	GOBIN=$(@D) go install helm.sh/helm/v4/cmd/helm@$(HELM_VERSION)

# Within a module of ours: see its go.mod.
$(HELM_UNITTEST):
	cd tools/helm-unittest && GOBIN=$(@D) go install github.com/helm-unittest/helm-unittest/cmd/helm-unittest

$(HELM_DOCS):
	GOBIN=$(@D) go install github.com/norwoodj/helm-docs/cmd/helm-docs@$(HELM_DOCS_VERSION)

$(KUBECONFORM):
	GOBIN=$(@D) go install github.com/yannh/kubeconform/cmd/kubeconform@$(KUBECONFORM_VERSION)

$(KUBESCHEMAS):
	go run ./tools/kubeschemas -out $@ -kubernetes $(KUBERNETES_VERSION) -prometheus-operator $(PROMETHEUS_OPERATOR_VERSION) -gateway-api $(GATEWAY_API_VERSION)
