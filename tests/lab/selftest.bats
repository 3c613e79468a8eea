#!/usr/bin/env bats
# shellcheck disable=SC2154
# The lab itself: that it breaks what it says it breaks, that nothing else is touched, and that nothing stays behind.

bats_require_minimum_version 1.5.0
load scenario

setup_file() {
	lab_claim 0
	lab_up 4 --workers 1
}
teardown_file() { lab_close; }
setup() {
	lab_need
	other_net=$((QUORATE_LAB_NET + 1))
	other=/var/tmp/quorate-lab-$other_net
}
teardown() { lab_evidence; }

# A command, for another lab beside this one.
beside() { QUORATE_LAB=$other QUORATE_LAB_NET=$other_net "$@"; }

# What a lab on network $1 in folder $2 has left on this machine.
traces() {
	ip netns list | grep "^qlab$1-" || true
	ip -o link | grep ": qlab$1[n:@]" || true
	grep " $2/" /proc/mounts || true
	find /sys/fs/cgroup -maxdepth 2 -name "qlab$1" || true
	pgrep -af "$2/" || true
	[[ ! -e $2 ]] || echo "$2"
}

@test "a swarm of three managers and a worker is up, and its leader is known to all" {
	same "node1 node2 node3" eval 'reachable_managers | xargs'
	same "active false" raft_state node4
	one_leader
	same "" ghosts
	same "" half_managers
	[[ $(traces "$QUORATE_LAB_NET" "$QUORATE_LAB" | wc -l) -gt 20 ]]
}

@test "each engine answers the way that the site says" {
	local tls=$QUORATE_LAB/tls ip=10.99.$QUORATE_LAB_NET
	same OK curl -s --unix-socket "$QUORATE_LAB/node1/docker.sock" http://localhost/_ping
	same OK curl -s --cacert "$tls/ca.pem" --cert "$tls/cert.pem" --key "$tls/key.pem" "https://$ip.2:2376/_ping"
	"$lab" ssh node3 -N -o ExitOnForwardFailure=yes -L "$BATS_TEST_TMPDIR/s:$QUORATE_LAB/node3/docker.sock" 3>&- &
	until_ 5 same OK curl -s --unix-socket "$BATS_TEST_TMPDIR/s" http://localhost/_ping
	kill $!
	same OK curl -s "http://$ip.4:2375/_ping"
	same 4 grep -cE '^  node[1-4]: \{ engine: "(unix|tcp|ssh)://' "$("$lab" site)"
}

@test "the engine behind TLS refuses who has no certificate" {
	run ! curl -s --cacert "$QUORATE_LAB/tls/ca.pem" "https://10.99.$QUORATE_LAB_NET.2:2376/_ping"
	run ! curl -s "http://10.99.$QUORATE_LAB_NET.2:2375/_ping"
}

@test "a service runs, and its tasks are counted" {
	"$lab" service web 4
	tasks_run web 4
	same 4 eval 'tasks_on_ready_nodes web | sort -u | wc -l'
}

@test "a changing request is seen on the engine that got it, and a reading one is not" {
	"$lab" mark
	docker_on node2 node ls
	docker_on node2 service ls
	same "" "$lab" changes
	docker_on node2 service scale -d web=3
	"$lab" changes
	[[ $("$lab" changes) =~ ^node2\ POST\ /v[0-9.]+/services/[a-z0-9]+/update ]]
	same "" "$lab" changes node1 node3 node4
	"$lab" mark
	same "" "$lab" changes
}

@test "a node that is cut off is reached by its own socket only, and comes back" {
	local ip=10.99.$QUORATE_LAB_NET.4
	"$lab" cut node4
	[[ $("$lab" ls) =~ node4\ +$ip\ +up\ +cut ]]
	run ! curl -s --max-time 2 "http://$ip:2375/_ping"
	same OK curl -s --unix-socket "$QUORATE_LAB/node4/docker.sock" http://localhost/_ping
	"$lab" heal node4
	until_ 10 same OK curl -s --max-time 2 "http://$ip:2375/_ping"
}

@test "an engine that was stopped leaves its machine up, and starts again as the same node" {
	local id
	id=$(swarm_of node4 '{{.NodeID}}')
	"$lab" stop node4
	[[ $("$lab" ls) =~ node4\ +[0-9.]+\ +stopped ]]
	same node4 "$lab" ssh node4 hostname
	"$lab" start node4
	until_ 20 same "active false" raft_state node4
	same "$id" swarm_of node4 '{{.NodeID}}'
}

@test "a machine without power has no process, and starts again as the same node" {
	local id
	id=$(swarm_of node4 '{{.NodeID}}')
	until_ 20 same 3 count containers web
	"$lab" kill node4
	same "" ip netns pids "qlab$QUORATE_LAB_NET-node4"
	[[ $("$lab" ls) =~ node4\ +[0-9.]+\ +down ]]
	run ! "$lab" ssh node4 hostname
	"$lab" start node4
	until_ 20 same "active false" raft_state node4
	same "$id" swarm_of node4 '{{.NodeID}}'
}

@test "a machine that was wiped is in no swarm and has the image" {
	run ! "$lab" wipe node4
	[[ $output = *'kill it first'* ]]
	"$lab" kill node4
	replace node4
	same "inactive false" raft_state node4
	docker_on node4 image inspect "$("$lab" image)"
}

@test "a second lab beside it is another lab" {
	beside "$lab" up 1 --autolock
	beside same "active true" raft_state node1
	same "active true" raft_state node1

	# Locked after a restart, until the key is given.
	beside "$lab" stop node1
	beside "$lab" start node1
	[[ $(beside raft_state node1) = "locked false"* ]]
	beside docker_on node1 swarm unlock <"$other/unlock-key"
	beside until_ 20 same "active true" raft_state node1

	# The network of one cannot be the network of the other.
	QUORATE_LAB=$other run -1 "$lab" up 1
	[[ $output = *"belongs to the lab in $QUORATE_LAB"* ]]

	beside "$lab" down
	same "" traces "$other_net" "$other"
	same "active true" raft_state node1
}

@test "nothing stays behind when 'up' is killed at any time" {
	local after pid
	for after in 0.3 0.8 1.6; do
		QUORATE_LAB=$other QUORATE_LAB_NET=$other_net setsid "$lab" up 3 >/dev/null 2>&1 3>&- &
		pid=$!
		sleep "$after"
		kill -9 "$pid"
		beside "$lab" down
		same "" traces "$other_net" "$other"
	done
}

@test "engines can be without a swarm" {
	beside "$lab" up 2 --no-swarm
	beside same "inactive false" raft_state node1
	beside same "inactive false" raft_state node2
	beside "$lab" down
}

@test "what makes no sense is refused, with the reason" {
	run -1 "$lab" up 10
	[[ $output = *'1 to 9'* ]]
	run -1 "$lab" up 3 --managers
	[[ $output = *'takes a number'* ]]
	run -1 "$lab" up 3 --managers 2 --workers 3
	[[ $output = *'are not 3 engines'* ]]
	run -1 "$lab" kill node9
	[[ $output = *"no node 'node9'"* ]]
	run -1 "$lab" stop
	[[ $output = *'which node?'* ]]
	run -2 "$lab" frobnicate
	QUORATE_LAB=/etc run -1 "$lab" up 1
	[[ $output = *"not a lab's"* ]]
	QUORATE_LAB=relative run -1 "$lab" up 1
	same "active true" raft_state node1
}

@test "'deps' names Debian packages" {
	run -0 "$lab" deps
	((${#lines[@]} > 5))
	run -1 grep -vE '^[a-z0-9][a-z0-9+.-]+$' <<<"$output"
}

@test "nothing stays behind after 'down', with a node down, one cut and one stopped" {
	"$lab" kill node2
	"$lab" cut node3
	"$lab" stop node4
	"$lab" down
	same "" traces "$QUORATE_LAB_NET" "$QUORATE_LAB"
	run -1 "$lab" ls
	[[ $output = *"'lab up N' makes one"* ]]
}
