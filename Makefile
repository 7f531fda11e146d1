# One way to build and check everything. `make check` does what CI does; `make soak` runs what takes hours.

GO      ?= go
TARGETS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

.PHONY: all build test check format vet race cross purego devnet bench soak golden

all: build

build:
	$(GO) build -o bin/ ./cmd/...

test:
	$(GO) test ./...

check: format vet test race cross purego devnet

format:
	@out=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "run gofmt -w on:"; echo "$$out"; exit 1; fi

vet:
	$(GO) vet ./...
	$(GO) vet -tags soak ./...

# The race detector where goroutines meet; the proof system's hot loops would take it an hour.
race:
	$(GO) test -race ./p2p/... ./bft/engine/... ./bft/wal/... ./node/... ./client/... ./machine/...

# Every platform that users run, and the same without assembly.
cross:
	@for t in $(TARGETS); do echo "build $$t"; \
	  CGO_ENABLED=0 GOOS=$${t%/*} GOARCH=$${t#*/} $(GO) build -o /dev/null ./cmd/fatty && \
	  CGO_ENABLED=0 GOOS=$${t%/*} GOARCH=$${t#*/} $(GO) build -o /dev/null ./cmd/fattyd || exit 1; done

# Without assembly: the golden proofs verify, and one proof is made.
purego:
	$(GO) test -tags purego -run 'Golden|ProveOnce' ./verifier/... ./prover/...

devnet: build
	bin/fatty devnet --for 60s --kill-after 15s --json

bench:
	$(GO) test -run '^$$' -bench . ./...

soak:
	$(GO) test -tags soak -timeout 12h ./...

# Rewrites golden files from the code: read the difference before you commit it.
golden:
	$(GO) test ./bft ./internal/wire ./lockspace ./node/api ./prover ./prover/stark ./verifier ./verifier/cairo ./verifier/circuit ./verifier/hash -update
