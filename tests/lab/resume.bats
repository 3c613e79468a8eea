#!/usr/bin/env bats
# shellcheck disable=SC2154
# The program dies in the middle of an emergency repair of DTR, whose container goes on. It is followed when the run is taken up, and never started twice.

bats_require_minimum_version 1.5.0
load scenario

setup_file() {
	lab_claim 24 "$QUORATE"
	[[ -z $WHY_NOT ]] || return 0
	command -v go >/dev/null || WHY_NOT="go is missing, which the stand-ins are built with"
	[[ -z $WHY_NOT ]] || return 0
	lab_up 4 --managers 1 --workers 3
	"$lab" enterprise front
	"$lab" enterprise dtr node2 node3 node4
	"$lab" mark
}
teardown_file() { lab_close; }
setup() { lab_need; }
teardown() { lab_evidence; }

ok_replicas() {
	curl -sk -m 10 -u "admin:$(<"$QUORATE_LAB/ucp/password")" "https://10.99.$QUORATE_LAB_NET.${1#node}/api/v0/meta/cluster_status" |
		jq -r '.replica_health | to_entries[] | select(.value == "OK") | .key' | sort
}
tool_runs() { [[ $(docker_on "$1" ps --filter name=quorate-dtr-tool --format '{{.Status}}') = Up* ]]; }
tools_made() { "$lab" changes "$1" | grep -c 'containers/create?name=quorate-dtr-tool' || true; }

# The program itself, not the `timeout` that guards it.
die() { kill -9 "$(pgrep -P "$(<"$BATS_FILE_TMPDIR/$1.pid")")"; }

@test "the program is killed while DTR's tool works: nobody else may begin meanwhile" {
	rest_depends
	docker_on node3 stop dtr-rethinkdb-000000000003
	docker_on node4 stop dtr-rethinkdb-000000000004
	"$lab" fault node2 emergency-repair slow=20
	"$lab" mark
	quorate_start broken run dtr/emergency-repair --input replicas=1 --yes
	once broken 60 tool_runs node2
	die broken
	until_ 10 quorate_ended broken
	quorate_as other run dtr/emergency-repair --input replicas=1 --yes
	[[ $(status_of other) = [48] ]]
	same 1 tools_made node2
}

@test "the run is taken up: the container is followed to its end, not started again" {
	LIMIT=180 quorate_as resumed resume last --yes
	exits resumed 0
	says resumed 'that this step had started'
	same 000000000002 ok_replicas node2
	same 1 tools_made node2
	same "" docker_on node2 ps -aq --filter name=quorate-dtr-tool
	same "" docker_on node2 volume ls -q --filter name=quorate-lock
}
