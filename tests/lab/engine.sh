# shellcheck shell=bash disable=SC2154
# engine.sh: the engines on the machines, the image they have, and the swarm they form.

image=lab/sleep

socket() { echo "$home/$1/docker.sock"; }
engine() { local node=$1; shift; timeout 30 docker -H "unix://$(socket "$node")" "$@"; }

# The command line of a node's engine, as one string: no path in it has a space.
engine_options() {
	local tcp=''
	case $1 in
	node1 | node3) ;;                        # reached over the unix socket and over ssh
	node2) tcp="-H tcp://$(address "$1"):2376 --tlsverify --tlscacert $home/tls/ca.pem
		--tlscert $home/tls/server.pem --tlskey $home/tls/server-key.pem" ;;
	*) tcp="-H tcp://$(address "$1"):2375 --tls=false" ;;
	esac
	# Debug mode logs every API call: the proof of what a run did and did not ask for.
	echo "--debug --data-root $home/$1/data --cgroup-parent /$lab/$1 --exec-opt native.cgroupdriver=cgroupfs
		-H unix://$(socket "$1") -H unix:///run/docker.sock $tcp"
}

engine_pid() {
	local pid
	for pid in $(machine_pids "$1"); do
		[[ $(cat "/proc/$pid/comm" 2>/dev/null) != dockerd ]] || echo "$pid"
	done
}

engine_gone() { [[ -z $(engine_pid "$1") ]]; }
engine_answers() { timeout 5 docker -H "unix://$(socket "$1")" version; }

engine_start() { ! engine_gone "$1" || kill -USR1 "$(machine_init "$1")"; }

engine_stop() {
	engine_gone "$1" || kill -TERM "$(engine_pid "$1")"
	within 60 engine_gone "$1" || die "the engine of $1 does not stop"
}

# engines_await NODE...: until every engine answers and has the image.
engines_await() {
	local node loads=()
	for node; do
		within 90 engine_answers "$node" || { tail -n 5 "$home/$node/"{console,log} >&2; die "the engine of $node does not answer"; }
		image_load "$node" &
		loads+=($!)
	done
	for node in "${loads[@]}"; do wait "$node" || die "an engine does not take the image"; done
}

engine_power() {
	if ! machine_up "$1"; then echo down
	elif engine_gone "$1"; then echo stopped
	else echo up
	fi
}

# The swarm as the node sees it: state, role, and what is wrong.
engine_view() {
	local view
	view=$(timeout 5 docker -H "unix://$(socket "$1")" info --format \
		'{{with .Swarm}}{{.LocalNodeState}}{{if .ControlAvailable}} manager{{else if .NodeID}} worker{{end}}{{with .Error}}: {{.}}{{end}}{{end}}' 2>/dev/null) || true
	echo "${view:--}"
}

# ---- the image: one static binary, for no registry can be reached

image_create() (
	root=$home/image
	mkdir -p "$root/bin" "$root/tmp"
	cp "$(command -v busybox)" "$root/bin/busybox"
	for applet in sh sleep cat echo ls; do ln -s busybox "$root/bin/$applet"; done
	tar -C "$root" -cf "$home/image.tar" .
	rm -rf "$root"
)

image_load() {
	engine "$1" image inspect $image >/dev/null 2>&1 ||
		# A PID 1 without a handler would ignore TERM and hold up every stop for ten seconds.
		engine "$1" import -c 'CMD ["sh", "-c", "trap exit TERM; sleep infinity & wait"]' "$home/image.tar" $image >/dev/null
}

# ---- the swarm

swarm_create() {
	local managers=$1 workers=$2 autolock=$3 n role token
	engine node1 swarm init --advertise-addr "$(address node1)" --listen-addr "$(address node1)" --autolock="$autolock" >/dev/null
	[[ $autolock = false ]] || engine node1 swarm unlock-key -q >"$home/unlock-key"
	for ((n = 2; n <= managers + workers; n++)); do
		role=manager
		((n <= managers)) || role=worker
		token=$(engine node1 swarm join-token -q $role)
		# One after the other: each manager that joins changes the membership, which needs a majority.
		engine "node$n" swarm join --token "$token" --advertise-addr "$(address "node$n")" \
			--listen-addr "$(address "node$n")" "$(address node1)" >/dev/null
	done
	within 60 swarm_ready "$managers" $((managers + workers)) || die "the swarm is not ready: $(engine node1 node ls)"
}

swarm_ready() {
	engine node1 node ls --format '{{.Status}} {{.ManagerStatus}}' |
		awk -v managers="$1" -v all="$2" '/^Ready/ { r++ } /Leader|Reachable/ { m++ } END { exit !(r == all && m == managers) }'
}
