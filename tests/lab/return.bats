#!/usr/bin/env bats
# shellcheck disable=SC2154
# Lost managers return when the new cluster has just been forced. (see return.bash)

bats_require_minimum_version 1.5.0
load scenario
load return

setup_file() { lab_claim 4 "$QUORATE"; }
teardown_file() { lab_close; }
setup() { lab_need; }
teardown() { lab_evidence; }

@test "they return as soon as the new cluster is forced" {
	power_cut
	once run 120 forced node1
	"$lab" start node2 node3
	well_or_loud
}
