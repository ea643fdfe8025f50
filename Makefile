# Remora. The two commands: `make run` shows the main job, `make test` proves it. Everything else is a part of these.
BUILD ?= build
JOBS ?= $(shell nproc)

.PHONY: build run test unit scenario test-chart test-cluster sanitize bench profile fuzz stubs format lint clean help image test-image test-newroot

help:
	@echo "make build     build/remora (installs the packages it needs, as root)"
	@echo "make run       build, start the demo, make one HTTP and one gRPC call with a fallback, stop"
	@echo "make test      everything: gcc, clang, sanitizers, unit, fuzz corpora, scenarios, lints"
	@echo "make unit      the unit tests and fuzz corpora, one build"
	@echo "make scenario  the scenarios against build/remora"
	@echo "make test-chart  the Helm chart: both Helms, no cluster"
	@echo "make test-cluster  chart and image in a real Kubernetes (root; builds it from Go modules once; not part of make test)"
	@echo "make bench     speed against nginx (not part of make test)"
	@echo "make profile   counts of a run for the compiler, anew (docs/benchmarks.md; not part of make test)"
	@echo "make fuzz      each fuzz target for FUZZ_SECONDS (default 60)"
	@echo "make image     an OCI image as a tarball, from Debian packages, without a container engine (docs/image.md)"
	@echo "make test-image    the image as a container under runc, and built twice to the same bytes (root, not part of make test)"
	@echo "make test-newroot  everything against Debian's newest libraries and gRPC core 1.83 (root, not part of make test)"
	@echo "make stubs     gRPC stubs for go, python, node, java, rust and c in build/stubs; LANGUAGES=\"go rust\" for some"
	@echo "make format    apply .clang-format"

build:
	@tools/packages.sh build
	@cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=Release -DREMORA_TESTS=OFF >$(BUILD).configure.log 2>&1 || { cat $(BUILD).configure.log; exit 1; }
	@rm -f $(BUILD).configure.log
	@ninja -C $(BUILD) -j $(JOBS) --quiet

run: build
	@tools/run.sh $(BUILD)

test:
	@tools/packages.sh test
	@tools/test.sh

unit:
	@tools/packages.sh test
	@tools/test.sh unit

scenario: 
	@tools/packages.sh test
	@tools/test.sh scenario

test-chart: build
	@tools/packages.sh test-chart
	@tools/chart.sh $(BUILD)

test-cluster:
	@tests/cluster/run.sh

bench:
	@tools/packages.sh bench
	@cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=Release -DREMORA_TESTS=ON >/dev/null
	@ninja -C $(BUILD) -j $(JOBS) --quiet
	@python3 tests/bench/bench.py --build $(BUILD)

profile:
	@tools/packages.sh bench
	@cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=Release -DREMORA_TESTS=ON >/dev/null
	@ninja -C $(BUILD) -j $(JOBS) --quiet bench_upstream bench_load
	@python3 tests/bench/train.py --build $(BUILD)

fuzz:
	@tools/packages.sh test
	@tools/fuzz.sh

image:
	@tools/packages.sh image
	@tools/image/build.sh

test-image:
	@tools/packages.sh test-image
	@tests/image/run.sh

test-newroot:
	@tools/packages.sh test
	@tools/packages.sh test-newroot
	@tools/newroot_test.sh

stubs:
	@tools/packages.sh build
	@python3 tools/stubs.py $(LANGUAGES)

format:
	@git ls-files 'src/*.[ch]' 'include/remora/*.h' 'tests/*.[ch]' 'examples/*.[ch]' | grep -v /tbl/ | xargs clang-format -i

clean:
	@rm -rf build build-*
