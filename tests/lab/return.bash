# shellcheck shell=bash disable=SC2154
# return.bash: the machines of which it was said that they cannot come back do come back, together and with their old state, while the
# run is under way. They were a majority, so they can elect a leader of their own: two swarms with one ID. A run may end well only
# if there is one leader; else it has to stop and say so.

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
	1 | 6 | 7 | 11)
		if [[ $(leaders | grep -vc '^none:') -gt 1 ]]; then says run 'two|split|leaders'; else says run 'leader|manager|quorum'; fi
		;;
	*) false ;;
	esac
}

# The new cluster has noticed that they are gone, so the run is past what follows the forcing at once.
noticed() { [[ $(docker_on node1 node ls --format '{{.Hostname}} {{.Status}}' | grep -cE '^node[23] Down') = 2 ]]; }
