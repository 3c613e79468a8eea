#!/usr/bin/env bats
# shellcheck disable=SC2154
# The machines of which it was said that they cannot come back do come back, together and with their old state, while the run is
# under way. They were a majority, so they can elect a leader of their own: two swarms with one ID. A run may end well only if there is
# one leader; else it has to stop and say so.

bats_require_minimum_version 1.5.0
load scenario

setup_file() { lab_claim 4 "$QUORATE"; }
teardown_file() { lab_close; }
setup() { lab_need; }
teardown() { lab_evidence; }

power_cut() {
	lab_up 4 --workers 1
	"$lab" service web 4
	"$lab" kill node2 node3
	"$lab" mark
	until_ 60 no_quorum node1
	quorate_start run run swarm/recover-quorum --yes --attest node2,node3 "${quick[@]}"
}

# The end that is allowed: well, and then truly so and for good, or a stop that is told in so many words.
well_or_loud() {
	quorate_end run
	echo "# exit $(status_of run); leaders: $(leaders | xargs)" >&3
	case $(status_of run) in
	0)
		one_leader
		same "" ghosts
		same "" half_managers
		same 3 count reachable_managers
		# A second leader would have come up by now.
		sleep 10
		one_leader
		tasks_run web 4
		;;
	1 | 6 | 7 | 11) says run 'leader|manager|quorum' ;;
	*) false ;;
	esac
}

both_removed() { (($("$lab" changes node1 | grep -c ' DELETE .*/nodes/') >= 2)); }
removed_or_ended() { both_removed || quorate_ended run; }

@test "they return as soon as the new cluster is forced" {
	power_cut
	once run 120 forced node1
	"$lab" start node2 node3
	well_or_loud
}

@test "they return once their records are removed" {
	power_cut
	until_ 180 removed_or_ended
	both_removed || { quorate_ended run && ! exits run 0; }
	"$lab" start node2 node3
	well_or_loud
}
