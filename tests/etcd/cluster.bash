# cluster.bash: an etcd of three members on this machine, each a process with its data below $BATS_FILE_TMPDIR. Only these are ever ended, by their PID.
# shellcheck shell=bash

export ETCDCTL_API=3

etcd_why_not() {
	command -v etcd >/dev/null && command -v etcdctl >/dev/null && return 1
	echo "there is no etcd (Debian's etcd-server and etcd-client)"
}

# Ports from 21000 on that nobody listens at; each tree begins elsewhere, so that two test runs seldom meet.
etcd_ports() {
	local port=$((21000 + (BASHPID % 4000) * 10)) found=()
	while ((${#found[@]} < $1)); do
		port=$((port + 1))
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || found+=("$port")
	done
	echo "${found[@]}"
}

# etcd_new NAME [FLAG...]: picks ports for a cluster, whose members are started with these flags.
etcd_new() {
	local name=$1 dir=$BATS_FILE_TMPDIR/$1 scheme=http ports i
	shift
	mkdir -p "$dir"
	[[ "$*" != *--cert-file* ]] || scheme=https
	read -ra ports <<<"$(etcd_ports 6)"
	printf '%s\n' "$@" >"$dir/flags"
	echo "$scheme" >"$dir/scheme"
	for i in 0 1 2; do
		echo "127.0.0.1:${ports[i]}" >"$dir/$i.client"
		echo "127.0.0.1:${ports[i + 3]}" >"$dir/$i.peer"
	done
}

etcd_member() { cat "$BATS_FILE_TMPDIR/$1/$2.client"; }
etcd_hosts() { echo "$(etcd_member "$1" 0),$(etcd_member "$1" 1),$(etcd_member "$1" 2)"; }

# etcd_start NAME I...: what bats waits for is not inherited.
etcd_start() {
	local name=$1 dir=$BATS_FILE_TMPDIR/$1 flags=() cluster='' i scheme
	shift
	[[ ! -s $dir/flags ]] || mapfile -t flags < <(grep . "$dir/flags")
	scheme=$(cat "$dir/scheme")
	for i in 0 1 2; do cluster+=${cluster:+,}m$i=http://$(cat "$dir/$i.peer"); done
	for i; do
		etcd --name "m$i" --data-dir "$dir/$i.data" --listen-client-urls "$scheme://$(etcd_member "$name" "$i")" \
			--advertise-client-urls "$scheme://$(etcd_member "$name" "$i")" --listen-peer-urls "http://$(cat "$dir/$i.peer")" \
			--initial-advertise-peer-urls "http://$(cat "$dir/$i.peer")" --initial-cluster "$cluster" --heartbeat-interval 50 --election-timeout 500 \
			--logger zap "${flags[@]}" >>"$dir/$i.log" 2>&1 </dev/null 3>&- 4>&- &
		echo $! >"$dir/$i.pid"
		disown $!
	done
}

# etcd_kill NAME I...: -9
etcd_kill() {
	local dir=$BATS_FILE_TMPDIR/$1 i
	shift
	for i; do
		[[ -s $dir/$i.pid ]] || continue
		kill -KILL "$(cat "$dir/$i.pid")" 2>/dev/null || true
		until_ok 10 gone "$(cat "$dir/$i.pid")"
		rm -f "$dir/$i.pid"
	done
	return 0
}

gone() { ! kill -0 "$1" 2>/dev/null; }

# until_ok SECONDS COMMAND...
until_ok() {
	local until=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		((SECONDS < until)) || { echo "not within its time: $*" >&2; return 1; }
		sleep 0.05
	done
}

# etcd_ready NAME [ETCDCTL-FLAG...]: all members answer for a majority.
etcd_ready() {
	local name=$1
	shift
	until_ok 60 etcdctl --endpoints "$(etcd_hosts "$name")" --command-timeout 2s "$@" endpoint health
}

# All three, whatever a test before this one has done.
etcd_whole() {
	local i dir=$BATS_FILE_TMPDIR/$1
	for i in 0 1 2; do [[ -s $dir/$i.pid ]] && kill -0 "$(cat "$dir/$i.pid")" 2>/dev/null || etcd_start "$1" "$i"; done
	etcd_ready "$@"
}
