SHELL = /bin/bash
# Shorthands; each also runs without make. See CONTRIBUTING.md.
.PHONY: test race fuzz crash interop lint fmt api ci

test: ## what a newcomer runs
	go test work

race:
	go test -race -short work

fuzz: ## one minute per fuzz target; FUZZTIME=10m for more
	set -o pipefail; . .ci/step-lib.sh; fuzz_targets | while read -r dir target; do fuzz "$$dir" "$$target" "$${FUZZTIME:-1m}" || exit 1; done

crash: ## needs root and FUSE
	internal/itest/powercut.sh
	.ci/kill

interop: ## needs the peers that .ci/run installs
	.ci/interop

lint:
	.ci/lint

fmt: ## format, then lint
	.ci/lint -w

api: ## write the golden list of exported names, docs/api
	go test -count=1 ./internal/apitest -update

ci:
	.ci/run
