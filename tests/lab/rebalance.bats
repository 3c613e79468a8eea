#!/usr/bin/env bats
# shellcheck disable=SC2154
# A node that was away has no task when it is back, for swarm never moves one by itself.

bats_require_minimum_version 1.5.0
load scenario

setup_file() {
	lab_claim 9 "$QUORATE"
	[[ -z $WHY_NOT ]] || return 0
	lab_up 3 --workers 2
	"$lab" service web 6
	docker_on node1 node update --availability drain node3
	until_ 60 skewed
	docker_on node1 node update --availability active node3
	"$lab" mark
}
teardown_file() { lab_close; }
setup() { lab_need; }
teardown() { lab_evidence; }

on() { containers web | grep -cx "$1" || true; }
skewed() { tasks_run web 6 && [[ $(on node3) = 0 ]]; }

@test "the plan announces it and changes nothing" {
	[[ $(on node3) = 0 ]]
	quorate_as plan plan swarm/rebalance
	exits plan 0
	same "" "$lab" changes
	says plan 'web'
}

@test "the run moves tasks to the idle node" {
	quorate_as run run swarm/rebalance --yes
	exits run 0
	tasks_run web 6
	(($(on node3) >= 2))
}
