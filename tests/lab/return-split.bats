#!/usr/bin/env bats
# shellcheck disable=SC2154
# Lost managers return when nothing is left of them in the new cluster: a second leader, for certain. (see return.bash)

bats_require_minimum_version 1.5.0
load scenario
load return

setup_file() { lab_claim 10 "$QUORATE"; }
teardown_file() { lab_close; }
setup() { lab_need; }
teardown() { lab_evidence; }

@test "they return after a hasty colleague has removed their records: two swarms, which the run has to see" {
	power_cut
	once run 120 forced node1
	once run 60 noticed
	docker_on node1 node rm node2 node3
	"$lab" start node2 node3
	well_or_loud
	! exits run 0 || false
}
