#!/usr/bin/env bats
# shellcheck disable=SC2154
# A saved plan is carried out on the swarm it was made for, once, and not when that swarm has moved.

bats_require_minimum_version 1.5.0
load scenario

setup_file() {
	lab_claim 14 "$QUORATE"
	[[ -z $WHY_NOT ]] || return 0
	lab_up 3 --managers 2 --workers 1
	"$lab" service web 4
	docker_on node1 node update --availability drain node3
	until_ 60 skewed
	docker_on node1 node update --availability active node3
	"$lab" mark
}
teardown_file() { lab_close; }
setup() { lab_need; }
teardown() { lab_evidence; }

on() { containers web | grep -cx "$1" || true; }
skewed() { tasks_run web 4 && [[ $(on node3) = 0 ]]; }

# refused NAME STATUS: it ended so, and no engine was asked for a change.
refused() {
	exits "$1" "$2"
	same "" "$lab" changes
	says "$1" 'nothing was changed'
}

@test "a plan is saved, and nothing is changed" {
	rest_depends
	quorate_as plan plan swarm/rebalance --out rebalance.plan
	exits plan 0
	same "" "$lab" changes
	[[ $(stat -c %a "$BATS_FILE_TMPDIR/home/rebalance.plan") = 600 ]]
}

@test "a service that came in between is no reason to refuse it" {
	"$lab" service other 1
	until_ 60 tasks_run other 1
	"$lab" mark
	quorate_as run run rebalance.plan --yes
	exits run 0
	tasks_run web 4
	(($(on node3) >= 1))
}

@test "a second time it is refused, with the run that has used it" {
	"$lab" mark
	quorate_as again run rebalance.plan --yes
	refused again 4
	says again 'was used by the run [0-9]{8}-[0-9]{6}-'
}

@test "when the quorum was lost in between, it is refused with the fact" {
	quorate_as plan plan swarm/rebalance --input services=web --out late.plan
	exits plan 0
	"$lab" mark
	"$lab" kill node2
	until_ 60 no_quorum node1
	quorate_as late run late.plan --yes
	refused late 6
	says late 'the world has moved'
	says late '^  swarm\.quorum\.held: true -> false$'
}

@test "a plan to recover is refused when the quorum is back" {
	quorate_as plan plan swarm/recover-quorum --attest node2 --out recover.plan "${quick[@]}"
	exits plan 0
	"$lab" start node2
	until_ 60 one_leader
	"$lab" mark
	quorate_as moved run recover.plan --yes
	refused moved 6
	says moved '^  swarm\.quorum\.held: false -> true$'
	says moved '^  \+ precondition .*has its quorum'
}

@test "a plan to recover is carried out as it was approved, some time later" {
	"$lab" kill node2
	until_ 60 no_quorum node1
	quorate_as plan plan swarm/recover-quorum --input managers=1 --input replacements=10s --out recover.plan "${quick[@]}"
	exits plan 0
	"$lab" mark
	quorate_as silent run recover.plan --yes
	exits silent 5
	same "" "$lab" changes
	quorate_as run run recover.plan --yes --attest node2
	exits run 0
	one_leader
}
