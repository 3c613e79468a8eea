# shellcheck shell=bash disable=SC2154
# scenario.bash: what the tests over real engines share. What is true of a swarm is asked of the docker client and of the
# kernel, never of our own code.

root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
lab=$root/tests/lab/lab
: "${QUORATE:=$root/build/quorate}"

# Who is to come back comes back at once here, or never.
# shellcheck disable=SC2034
quick=(--input grace=5s)

# ---- a lab for each file, that goes whatever happens

# Why this machine can have no lab; nothing if it can. (`skip` in setup_file fails in bats 1.8, so every test asks.)
why_no_lab() {
	local tool
	((EUID == 0)) || { echo "it takes root"; return; }
	unshare --mount --net --pid --uts --fork true 2>/dev/null || { echo "this machine gives no namespaces"; return; }
	for tool in dockerd docker ip iptables sshd ssh openssl busybox nsenter unshare flock curl; do
		command -v "$tool" >/dev/null || PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null || { echo "$tool is missing"; return; }
	done
	[[ -n ${1-} ]] || return 0
	[[ -x $1 ]] || echo "$1 is not built"
}

# lab_claim SLOT: for setup_file(): which lab is the file's own. Files have different slots, so that they can run at the same
# time; QUORATE_TEST_NET moves all of them, so that two checkouts can.
lab_claim() {
	export QUORATE_LAB_NET=$((${QUORATE_TEST_NET:-20} + $1))
	export QUORATE_LAB=/var/tmp/quorate-lab-$QUORATE_LAB_NET
	WHY_NOT=$(why_no_lab "${2-}")
	export WHY_NOT
	[[ -z $WHY_NOT ]] || return 0
	# Tests that are killed cannot clean up; this one process outlives them, holds nothing of theirs and does it.
	# shellcheck disable=SC2016
	setsid bash -c 'while kill -0 "$1"; do sleep 1; done; exec "$2" down' guard "$$" "$lab" </dev/null >/dev/null 2>&1 3>&- 4>&- &
	export guard=$!
}

# lab_up UP-ARGUMENT...: a fresh lab, whatever was there.
lab_up() {
	[[ -z $WHY_NOT ]] || return 0
	end_processes
	"$lab" up "$@" >"$BATS_FILE_TMPDIR/up" 2>&1 || { cat "$BATS_FILE_TMPDIR/up"; return 1; }
}

# Runs that a failed test left under way.
end_processes() {
	local pid
	while read -r pid; do kill "$pid" 2>/dev/null || true; done < <(cat "$BATS_FILE_TMPDIR"/*.pid 2>/dev/null)
	rm -f "$BATS_FILE_TMPDIR"/*.pid
}

# For teardown_file().
lab_close() {
	[[ -z ${WHY_NOT:-} ]] || return 0
	end_processes
	kill "$guard" 2>/dev/null || true
	"$lab" down
}

# For setup(): the reason why not, or that what this test looks at was never done.
lab_need() {
	[[ -z ${WHY_NOT-} ]] || skip "$WHY_NOT"
	[[ ! -e $BATS_FILE_TMPDIR/broken ]] || skip "'$(<"$BATS_FILE_TMPDIR/broken")' failed before"
	rm -f "$BATS_FILE_TMPDIR"/*.{rc,out}
}

# The first line of a test without whose success those after it have nothing to look at.
rest_depends() { essential=yes; }

# For teardown(): the evidence, if the test failed.
lab_evidence() {
	[[ -z ${BATS_TEST_COMPLETED-} && -z ${BATS_TEST_SKIPPED-} ]] || return 0
	[[ -z ${essential-} ]] || echo "$BATS_TEST_DESCRIPTION" >"$BATS_FILE_TMPDIR/broken"
	echo "--- what the engines say"
	"$lab" ls || true
	local voice file
	voice=$(voice)
	[[ -z $voice ]] || { docker_on "$voice" node ls && docker_on "$voice" service ls; } 2>&1 || true
	echo "leaders: $(leaders | xargs)"
	echo "--- changing requests"
	"$lab" changes || true
	for file in "$BATS_FILE_TMPDIR"/*.out; do
		[[ -e $file ]] || continue
		echo "--- $(basename "$file" .out): exit $(cat "${file%.out}.rc" 2>/dev/null || echo unknown)"
		tail -n 120 "$file"
	done
}

# ---- time

# until_ SECONDS COMMAND...: repeats a command until it succeeds; fails when the time is up, with what it said last.
until_() {
	local deadline=$((SECONDS + $1)) said
	shift
	until said=$("$@" 2>&1); do
		((SECONDS < deadline)) || { echo "in vain: $*"; echo "$said"; return 1; }
		sleep 0.3
	done
}

# same WANTED COMMAND...: whether it prints just that.
same() {
	local got wanted=$1
	shift
	got=$("$@") || true
	[[ $got = "$wanted" ]] || { printf '%s: wanted\n%s\ngot\n%s\n' "$*" "$wanted" "$got"; return 1; }
}

# ---- quorate

# The command in the lab's site, without a terminal, in a folder of its own; out and exit status in NAME.out and NAME.rc.
quorate_as() {
	local name=$1 status=0
	shift
	mkdir -p "$BATS_FILE_TMPDIR/home"
	(
		echo "$BASHPID" >"$BATS_FILE_TMPDIR/$name.pid"
		cd "$BATS_FILE_TMPDIR/home"
		HOME=$PWD XDG_STATE_HOME=$PWD NO_COLOR=1 LC_ALL=C.UTF-8 \
			exec timeout --kill-after=10 "${LIMIT:-240}" "$QUORATE" "$@" --site "${SITE:-$QUORATE_LAB/site.yaml}"
	) >"$BATS_FILE_TMPDIR/$name.out" 2>&1 </dev/null || status=$?
	rm -f "$BATS_FILE_TMPDIR/$name.pid"
	echo "$status" >"$BATS_FILE_TMPDIR/$name.rc"
}

# The same beside the test; quorate_end NAME waits for it.
quorate_start() {
	rm -f "$BATS_FILE_TMPDIR/$1.rc"
	quorate_as "$@" 3>&- &
}
quorate_ended() { [[ -s $BATS_FILE_TMPDIR/$1.rc ]]; }
quorate_end() { until_ "${LIMIT:-240}" quorate_ended "$1"; }

status_of() { cat "$BATS_FILE_TMPDIR/$1.rc"; }
said() { cat "$BATS_FILE_TMPDIR/$1.out"; }

# exits NAME STATUS: that it ended so. (What it printed, lab_evidence tells.)
exits() { [[ $(status_of "$1") = "$2" ]] || { echo "$1: wanted exit $2, got $(status_of "$1")"; return 1; }; }

# says NAME REGEX: that some line of what it printed matches, whatever the case.
says() { said "$1" | grep -qiE -- "$2" || { echo "$1: no line has '$2'"; return 1; }; }
says_not() { ! said "$1" | grep -iE -- "$2"; }

# ---- the swarm, as engines and the docker client tell it

docker_on() { timeout 25 "$lab" docker "$@"; }
swarm_of() { docker_on "$1" info --format "{{with .Swarm}}$2{{end}}" 2>/dev/null; }
engines_up() { "$lab" ls | awk '$3 == "up" { print $1 }'; }

# An engine's part in a swarm and what is wrong with it: "active true" and the error.
raft_state() { swarm_of "$1" '{{.LocalNodeState}} {{.ControlAvailable}}{{with .Error}} {{.}}{{end}}'; }

managing() {
	local node
	for node in $(engines_up); do [[ $(raft_state "$node") != *\ true* ]] || echo "$node"; done
}

# leaders: the ID of each leader that any engine names; one line if all agree. A manager is asked for its nodes; "none:NODE" is
# one that cannot tell. A worker cannot be asked, but it must know the managers that the leader knows: see managers_known.
leaders() {
	local node
	for node in $(managing); do
		docker_on "$node" node ls --format '{{.ID}} {{.ManagerStatus}}' 2>/dev/null |
			awk -v node="$node" '$2 == "Leader" { print $1; n++ } END { if (!n) print "none:" node }'
	done | sort -u
}

# Which managers each engine knows of, workers included: one line, the same for all, if there is one swarm.
managers_known() {
	local node
	for node in $(engines_up); do
		swarm_of "$node" '{{range .RemoteManagers}}{{.NodeID}} {{end}}' | tr ' ' '\n' | sort | xargs
	done | sort -u
}

one_leader() {
	local leader known
	leader=$(leaders)
	[[ -n $leader && $leader != *$'\n'* && $leader != none:* ]] || { printf 'leaders:\n%s\n' "$leader"; return 1; }
	known=$(managers_known)
	[[ $known != *$'\n'* && " $known " = *" $leader "* ]] || { printf 'leader %s, but engines know these managers:\n%s\n' "$leader" "$known"; return 1; }
}

# Any engine that manages; the swarm as it tells it is what the counts below are made of.
voice() { managing | head -n 1; }

# The names of managers that are reachable, with the one that leads, as a manager tells it.
reachable_managers() {
	docker_on "$(voice)" node ls --format '{{.Hostname}} {{.ManagerStatus}}' | awk '$2 == "Leader" || $2 == "Reachable" { print $1 }' | sort
}

# Records that stand for no engine of the lab: the ID is no engine's own, or it is nobody's that is up.
ghosts() {
	local node
	comm -23 <(docker_on "$(voice)" node ls --format '{{.ID}}' | sort) \
		<(for node in $(engines_up); do swarm_of "$node" '{{.NodeID}}'; echo; done | grep . | sort)
}

# Records whose role and part in Raft differ: a manager that is none, or the other way round.
half_managers() {
	local voice
	voice=$(voice)
	docker_on "$voice" node ls -q | xargs -r timeout 25 "$lab" docker "$voice" node inspect --format \
		'{{.Description.Hostname}} {{.Spec.Role}} {{with .ManagerStatus}}{{.Reachability}}{{else}}-{{end}}' |
		grep -vE ' (manager reachable|worker -)$' || true
}

# tasks_on_ready_nodes SERVICE: the host of each task that is wanted and runs, on a node that is ready, as the swarm tells it.
tasks_on_ready_nodes() {
	local voice ready task state node
	voice=$(voice)
	ready=$(docker_on "$voice" node ls --format '{{.ID}} {{.Hostname}} {{.Status}}' | awk '$3 == "Ready"')
	docker_on "$voice" service ps "$1" --no-trunc -q | xargs -r timeout 25 "$lab" docker "$voice" inspect --type task \
		--format '{{.NodeID}} {{.DesiredState}} {{.Status.State}}' |
		while read -r node task state; do
			[[ $task = running && $state = running ]] || continue
			awk -v node="$node" '$1 == node { print $2 }' <<<"$ready"
		done | sort
}

# containers SERVICE: the engine of each container of it that runs, as the engines tell it.
containers() {
	local node
	for node in $(engines_up); do
		docker_on "$node" ps -q --filter "label=com.docker.swarm.service.name=$1" | sed "s/.*/$node/"
	done
}

count() { "$@" | grep -c . || true; }
tasks_run() { same "$2" count tasks_on_ready_nodes "$1" && same "$2" count containers "$1"; }

# ---- ways to break it and to see how far a run has come

no_quorum() { [[ $(raft_state "$1") = *'does not have a leader'* ]]; }
asked() { "$lab" changes "$1" | grep -qE "$2"; }

# The engine was made the one manager of a new cluster, and knows it.
forced() { asked "$1" ' POST .*/swarm/init' && [[ $(swarm_of "$1" '{{.Managers}}') = 1 ]]; }

# once NAME SECONDS COMMAND...: until it succeeds while the run NAME is under way; a run that ends before is a failure.
once() {
	local name=$1 deadline=$((SECONDS + $2))
	shift 2
	until "$@" >/dev/null 2>&1; do
		! quorate_ended "$name" || { echo "the run ended before: $*"; return 1; }
		((SECONDS < deadline)) || { echo "in vain: $*"; return 1; }
		sleep 0.2
	done
}

replace() { "$lab" wipe "$@" && "$lab" start "$@"; }
