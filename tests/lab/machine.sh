# shellcheck shell=bash disable=SC2154
# machine.sh: nodes as namespaces, links and processes. Knows nothing of engines or swarms.

netns() { echo "$lab-$1"; }
veth() { echo "${lab}n${1#node}"; }
address() { echo "10.99.$net.${1#node}"; }

# nodes [NODE...]: the given nodes, which must exist, or all of them.
nodes() {
	local node
	[[ -e $home/.lab ]] || die "no lab in $home; 'lab up N' makes one"
	# shellcheck disable=SC2046 # names of nodes are single words
	(($#)) || set -- $(cd "$home" && echo node[1-9])
	for node; do
		[[ $node = node[1-9] && -d $home/$node ]] || die "no node '$node'"
		echo "$node"
	done
}

# Refuses what would only fail later, and strangely.
machine_preflight() {
	local tool owner
	for tool in dockerd docker ip iptables sshd ssh openssl busybox nsenter unshare flock; do
		command -v $tool >/dev/null || die "$tool is missing; apt-get install \$(lab deps)"
	done
	[[ $net =~ ^(0|[1-9][0-9]{0,2})$ && $net -le 255 ]] || die "QUORATE_LAB_NET: '$net' is no octet"
	# A unix socket's path ends at 108 bytes, and the folder is written into YAML and ssh_config as it is.
	[[ $home =~ ^/[A-Za-z0-9._/-]{1,80}$ ]] || die "QUORATE_LAB: '$home' is not a short, plain, absolute path"
	[[ -e $home/.lab || -z $(ls -A "$home" 2>/dev/null) ]] || die "$home is not empty and not a lab's"
	owner=$(cat "/sys/class/net/$lab/ifalias" 2>/dev/null || true)
	[[ -z $owner || $owner = "$home" ]] || die "10.99.$net.0/24 belongs to the lab in $owner; choose a QUORATE_LAB_NET"
}

# ---- network

net_create() {
	ip link add "$lab" type bridge
	ip link set "$lab" alias "$home"
	ip address add "10.99.$net.254/24" dev "$lab"
	ip link set "$lab" up
}

net_destroy() {
	local n
	# A link goes with its namespace, but only a little later.
	for ((n = 1; n <= max; n++)); do ip link delete "${lab}n$n" 2>/dev/null || true; done
	ip link delete "$lab" 2>/dev/null || true
	ip link delete "${lab}p" 2>/dev/null || true
}

link_up() { [[ $(cat "/sys/class/net/$(veth "$1")/operstate" 2>/dev/null) = up ]]; }

# ---- machines

machine_create() {
	local ns link
	ns=$(netns "$1") link=$(veth "$1")
	mkdir -p "$home/$1"/{data,etc}
	ip netns add "$ns"
	ip link add "$link" type veth peer name eth0 netns "$ns"
	ip link set "$link" master "$lab" up
	ip -n "$ns" address add "$(address "$1")/24" dev eth0
	ip -n "$ns" link set lo up
	ip -n "$ns" link set eth0 up
	ip -n "$ns" route add default via "10.99.$net.254"
}

machine_boot() (
	cd /
	# Nothing of the caller's may be held open for as long as the machine runs: not the lock, not a test's output.
	for fd in /proc/self/fd/*; do
		fd=${fd##*/}
		((fd <= 2 || fd == 255)) || eval "exec $fd>&-"
	done
	# Not `ip netns exec`: that mounts a new /sys, without the control groups that an engine needs.
	setsid nsenter --net="/run/netns/$(netns "$1")" \
		unshare --mount --uts --pid --fork --kill-child --mount-proc \
		"$here/init" "$1" "$home/$1" "$(engine_options "$1")" </dev/null >>"$home/$1/console" 2>&1 &
)

machine_pids() { ip netns pids "$(netns "$1")" 2>/dev/null || true; }
machine_up() { [[ -n $(machine_init "$1") ]]; }
machine_down() { [[ -z $(machine_pids "$1") ]]; }

# The machine's PID 1, as the host numbers it.
machine_init() {
	local pid
	for pid in $(machine_pids "$1"); do
		awk -v pid="$pid" '$1 == "NSpid:" && NF == 3 && $3 == 1 { print pid }' "/proc/$pid/status" 2>/dev/null || true
	done
}

# When PID 1 dies, the kernel kills all the others, containers too; `unshare`, its parent, ends when the last is gone.
machine_kill() {
	machine_init "$1" | xargs -r kill -9 2>/dev/null || true
	# A machine that a crash caught before it had a PID 1.
	within 10 machine_down "$1" || machine_pids "$1" | xargs -r kill -9 2>/dev/null || true
	within 10 machine_down "$1" || die "$1 does not die: $(machine_pids "$1")"
	cgroups_remove "$lab/$1"
}

machines_destroy() {
	local n
	for ((n = 1; n <= max; n++)); do
		[[ -e /run/netns/$lab-node$n ]] || continue
		machine_kill "node$n"
		ip netns delete "$lab-node$n"
	done
	cgroups_remove "$lab"
}

# Containers that were killed leave their control groups behind, empty. Version 1 has a tree for each controller.
cgroups_remove() {
	local root
	for root in /sys/fs/cgroup /sys/fs/cgroup/*; do
		[[ -d $root/$1 ]] || continue
		within 5 cgroup_remove "$root/$1" || die "$root/$1 is not empty"
	done
}

cgroup_remove() { find "$1" -depth -type d -exec rmdir {} +; [[ ! -d $1 ]]; }
