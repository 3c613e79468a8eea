#!/usr/bin/env bats
# shellcheck disable=SC2154
# Lost managers return when the new cluster has already noticed that they are gone. (see return.bash)

bats_require_minimum_version 1.5.0
load scenario
load return

setup_file() { lab_claim 5 "$QUORATE"; }
teardown_file() { lab_close; }
setup() { lab_need; }
teardown() { lab_evidence; }

@test "they return while the run waits for machines in their place" {
	power_cut
	once run 120 forced node1
	once run 60 noticed
	"$lab" start node2 node3
	well_or_loud
}
