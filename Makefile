# `make run` shows it live, `make test` proves it. Go, Node and git are enough to
# begin with; what the tests need from Debian, scripts/need installs and says so.

GO  ?= go
BIN := bin/smartmeter

# What a node's firmware compiles must also work on its processors.
NODE_CODE := . ./internal/pzem ./internal/wire ./internal/node ./internal/display ./internal/board

export CGO_ENABLED ?= 0

.PHONY: run build page test page-tests node-tests builds firmware check format lint race types bench screens torture clean

run: build
	$(BIN) demo

build: page
	$(GO) build -trimpath -ldflags "-s -w" -o $(BIN) ./cmd/smartmeter

# Nothing happens where nothing changed.
page:
	$(GO) run ./web/build

test: page
	scripts/need chromium mosquitto mosquitto_pub qemu-arm-static qemu-aarch64-static python3-paho-mqtt
	$(GO) test ./...
	$(MAKE) --no-print-directory page-tests node-tests builds firmware

page-tests: page
	cd web && npm test --silent

# The node's code on the processors of a Raspberry Pi, emulated.
node-tests:
	GOARCH=arm64 $(GO) test -exec qemu-aarch64-static $(NODE_CODE)
	GOARCH=arm GOARM=6 $(GO) test -exec qemu-arm-static $(NODE_CODE)

builds:
	GOARCH=arm64 $(GO) build -o /dev/null ./cmd/smartmeter
	GOARCH=arm GOARM=6 $(GO) build -o /dev/null ./cmd/smartmeter

# The firmware of ESP32 boards, its types and what needs no chip; see its README.
firmware:
	scripts/firmware

check: format lint types race

format:
	@unformatted=$$($(GO) tool gofumpt -l $$(git ls-files '*.go')); \
	if [ -n "$$unformatted" ]; then echo "not formatted; run: go tool gofumpt -w ."; echo "$$unformatted"; exit 1; fi
	@if grep -l '"resolved"' $$(git ls-files '*package-lock.json'); then echo "the lock file names a registry; see web/.npmrc"; exit 1; fi

lint:
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) mod tidy -diff

types: page
	cd web && npm run --silent check

# The programs of cmd run as processes of their own, which are not watched.
race: page
	scripts/need gcc mosquitto mosquitto_pub python3-paho-mqtt
	CGO_ENABLED=1 $(GO) test -race -short ./internal/... ./web/...

# The figures of docs/figures.md, in about five minutes.
bench: page
	scripts/need chromium mosquitto
	$(GO) run ./cmd/figures

# The pictures in docs/screens, to be looked at.
screens: page
	scripts/need chromium
	SMARTMETER_SCREENS=$(CURDIR)/docs/screens $(GO) test ./cmd/smartmeter -run TestBrowser -count=1

# The long campaigns; `make test` runs a slice of each. The store's begins with
# another seed every time, which it says.
torture:
	$(GO) test -timeout 2h ./internal/mqtt -run Campaign -v -mqtt.mutations=1000000
	$(GO) test -timeout 4h ./internal/store -run Campaign -v -store.cuts=100000 -store.from=0
	$(GO) test -timeout 2h ./cmd/smartmeter -run HubIsKilled -v -kills=1000
	$(GO) test -timeout 2h ./cmd/smartmeter -run NodeIsKilled -v -nodekills=1000
	$(GO) test -timeout 2h ./internal/sim -run CommandsCampaign -v -commands=1000000
	$(GO) test -timeout 2h ./internal/hub -run NotOneWattHour -v -hub.lives=200
	$(GO) test -timeout 2h ./internal/nodehost -run HubIsDead -v -weeks=100
	$(GO) test -timeout 2h ./internal/nodehost -run KilledAtEveryWrite -v -deaths=500

clean:
	rm -rf bin web/node_modules
	git clean -qfX web/dist
