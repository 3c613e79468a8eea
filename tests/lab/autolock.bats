#!/usr/bin/env bats
# shellcheck disable=SC2154
# Forcing a new cluster on an autolocked survivor makes its engine "inactive", with its state still on disk; so it is never tried.

bats_require_minimum_version 1.5.0
load scenario

setup_file() { lab_claim 7 "$QUORATE"; }
teardown_file() { lab_close; }
setup() { lab_need; }
teardown() { lab_evidence; }

@test "an autolocked swarm without a quorum: refused before any change, and the survivor stays what it is" {
	local node1
	lab_up 3 --autolock
	"$lab" kill node2 node3
	"$lab" mark
	until_ 60 no_quorum node1
	quorate_start run run swarm/recover-quorum --yes --attest node2,node3 "${quick[@]}"
	until quorate_ended run; do
		node1=$(raft_state node1)
		[[ $node1 = 'active true'* ]] || { echo "node1 is $node1"; false; }
		sleep 0.2
	done
	exits run 4
	same "" "$lab" changes
	says run 'autolock'
	says run 'unlock'
	[[ $(raft_state node1) = 'active true'* ]]
}

@test "a survivor of which it cannot be read is refused until somebody says that it is off" {
	lab_up 3
	# Only the API of node2 is in reach: no file of it can be read.
	"$lab" kill node1 node3
	"$lab" mark
	until_ 60 no_quorum node2
	quorate_as unknown run swarm/recover-quorum --yes --attest node1,node3 "${quick[@]}"
	exits unknown 4
	same "" "$lab" changes
	says unknown 'autolock'
	quorate_as told plan swarm/recover-quorum --input autolock=off "${quick[@]}"
	exits told 0
	says told 'force.*node2'
	same "" "$lab" changes
}
