#!/usr/bin/env bats
# shellcheck disable=SC2154
# Three managers and a worker; two managers lose power for good, and empty machines take their place while the run is under way.

bats_require_minimum_version 1.5.0
load scenario

setup_file() {
	lab_claim 2 "$QUORATE"
	[[ -z $WHY_NOT ]] || return 0
	lab_up 4 --workers 1
	"$lab" service web 4
	# What a new record would not have by itself.
	docker_on node1 node update --label-add zone=b node2
	docker_on node1 node update --label-add zone=c --availability pause node3
	"$lab" kill node2 node3
	"$lab" mark
}
teardown_file() { lab_close; }
setup() { lab_need; }
teardown() { lab_evidence; }

@test "right after the power cut, while the engine still tells of a healthy swarm, the plan shows the way and changes nothing" {
	quorate_as plan plan swarm/recover-quorum "${quick[@]}"
	same "" "$lab" changes
	exits plan 0
	says plan 'force.*node1'
	says plan 'node2'
	says plan 'node3'
}

@test "without a word about the machines that do not answer it is refused, and changes nothing" {
	until_ 60 no_quorum node1
	quorate_as silent run swarm/recover-quorum --yes "${quick[@]}"
	same "" "$lab" changes
	exits silent 5
	says silent '--attest'
	says silent 'node2'
	says silent 'node3'
}

@test "a word about one of the two is not enough" {
	quorate_as half run swarm/recover-quorum --yes --attest node2 "${quick[@]}"
	same "" "$lab" changes
	exits half 5
	says half 'node3'
}

@test "with it, the run ends well" {
	rest_depends
	quorate_start run run swarm/recover-quorum --yes --attest node2,node3 "${quick[@]}"
	once run 120 forced node1
	replace node2 node3
	quorate_end run
	exits run 0
	says_not run 'different from the prediction'
}

@test "every engine names the same leader" { one_leader; }
@test "three managers are reachable" { same "node1 node2 node3" eval 'reachable_managers | xargs'; }
@test "no record stands for nobody, and none is half a manager" { same "" ghosts && same "" half_managers; }
@test "four tasks run on ready nodes, and four containers on their engines" { tasks_run web 4; }

@test "labels and availability are as they were" {
	same "active map[]" docker_on node1 node inspect node1 --format '{{.Spec.Availability}} {{.Spec.Labels}}'
	same "active map[zone:b]" docker_on node1 node inspect node2 --format '{{.Spec.Availability}} {{.Spec.Labels}}'
	same "pause map[zone:c]" docker_on node1 node inspect node3 --format '{{.Spec.Availability}} {{.Spec.Labels}}'
}

@test "the new quorum bears the loss of a manager" {
	"$lab" kill node1
	until_ 60 same 1 eval 'leaders | grep -vc ^none:'
	docker_on node2 service scale -d web=3
}
