#!/usr/bin/env bats
# shellcheck disable=SC2154
# Five managers; three lose power for good, an old manager is alive beside the survivor. Empty machines take the others' place.

bats_require_minimum_version 1.5.0
load scenario

setup_file() {
	lab_claim 3 "$QUORATE"
	[[ -z $WHY_NOT ]] || return 0
	lab_up 5
	"$lab" service web 4
	"$lab" kill node3 node4 node5
	"$lab" mark
}
teardown_file() { lab_close; }
setup() { lab_need; }
teardown() { lab_evidence; }

forcings() { "$lab" changes | grep 'POST .*/swarm/init'; }
someone_forced() { forced node1 || forced node2; }

@test "the run ends well" {
	rest_depends
	until_ 60 no_quorum node1
	LIMIT=300 quorate_start run run swarm/recover-quorum --yes --attest node3,node4,node5 --input managers=5 "${quick[@]}"
	once run 120 someone_forced
	replace node3 node4 node5
	LIMIT=300 quorate_end run
	exits run 0
}

@test "one engine alone was made the start of the new cluster" { same 1 count forcings; }
@test "every engine names the same leader" { one_leader; }
@test "five managers are reachable" { same "node1 node2 node3 node4 node5" eval 'reachable_managers | xargs'; }
@test "no record stands for nobody, and none is half a manager" { same "" ghosts && same "" half_managers; }
@test "four tasks run on ready nodes, and four containers on their engines" { tasks_run web 4; }
