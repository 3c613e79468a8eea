#!/usr/bin/env bats
# shellcheck disable=SC2154
# Nobody comes back: what is left is a swarm of one manager, which works, and which nobody may take for a recovered one.

bats_require_minimum_version 1.5.0
load scenario

setup_file() {
	lab_claim 6 "$QUORATE"
	[[ -z $WHY_NOT ]] || return 0
	lab_up 4 --workers 1
	"$lab" service web 4
	"$lab" kill node2 node3
	"$lab" mark
}
teardown_file() { lab_close; }
setup() { lab_need; }
teardown() { lab_evidence; }

@test "every step ends well, but the goal is missed: exit 11, with the number of managers" {
	rest_depends
	until_ 60 no_quorum node1
	quorate_as run run swarm/recover-quorum --yes --attest node2,node3 --input replacements=10s "${quick[@]}"
	exits run 11
	says run '(one|1|single)[- ]manager|managers?:? *(is|are|=)? *1|1 of 3'
}

@test "one manager leads, and the worker knows it" {
	one_leader
	same node1 reachable_managers
}
@test "no record stands for nobody" { same "" ghosts && same "" half_managers; }
@test "four tasks run on ready nodes, and four containers on their engines" { tasks_run web 4; }
