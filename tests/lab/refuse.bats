#!/usr/bin/env bats
# shellcheck disable=SC2154
# Where the quorum is held, forcing would be the disaster. Refused, with the reason in one line and the runbook that fits, and no engine
# is asked for a change.

bats_require_minimum_version 1.5.0
load scenario

setup_file() {
	lab_claim 8 "$QUORATE"
	[[ -z $WHY_NOT ]] || return 0
	lab_up 4 --workers 1
	"$lab" mark
}
teardown_file() { lab_close; }
setup() { lab_need; }
teardown() { lab_evidence; }

# refused NAME: exit 4, nothing asked for, and one line that has the reason and another runbook than this.
refused() {
	exits "$1" 4
	same "" "$lab" changes
	said "$1" | grep -iE 'quorum' | grep -oE '(swarm|ucp|dtr)/[a-z-]+' | grep -v '^swarm/recover-quorum$' ||
		{ echo "$1: no line has the reason and a better runbook"; return 1; }
}

@test "a healthy swarm: plan" {
	quorate_as plan plan swarm/recover-quorum "${quick[@]}"
	refused plan
}

@test "a healthy swarm: run" {
	quorate_as run run swarm/recover-quorum --yes "${quick[@]}"
	refused run
}

@test "the manager beside the operator is cut off and names no leader, but the others have their quorum: run" {
	"$lab" cut node1
	until_ 60 no_quorum node1
	quorate_as run run swarm/recover-quorum --yes --attest node1,node2,node3 "${quick[@]}"
	"$lab" heal node1
	refused run
	until_ 60 one_leader
}

@test "a manager is lost, but not the quorum: plan, right after the power cut of the leader" {
	"$lab" kill "$(docker_on node1 node ls --format '{{.Hostname}} {{.ManagerStatus}}' | awk '$2 == "Leader" { print $1 }')"
	quorate_as plan plan swarm/recover-quorum "${quick[@]}"
	refused plan
}

@test "a manager is lost, but not the quorum: run, even with the word that it cannot come back" {
	quorate_as run run swarm/recover-quorum --yes --attest node1,node2,node3 "${quick[@]}"
	refused run
}
