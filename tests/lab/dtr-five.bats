#!/usr/bin/env bats
# shellcheck disable=SC2154
# Five replicas of DTR on eight machines: a cut of three and two, and two of five that lose power. Looked at through curl and the docker client.

bats_require_minimum_version 1.5.0
load scenario

setup_file() {
	lab_claim 22 "$QUORATE"
	[[ -z $WHY_NOT ]] || return 0
	command -v go >/dev/null || WHY_NOT="go is missing, which the stand-ins are built with"
	[[ -z $WHY_NOT ]] || return 0
	lab_up 8 --managers 1 --workers 7
	"$lab" enterprise front
	"$lab" enterprise dtr node2 node3 node4 node5 node6
	"$lab" mark
}
teardown_file() { lab_close; }
setup() { lab_need; }
teardown() { lab_evidence; }

address() { echo "10.99.$QUORATE_LAB_NET.${1#node}"; }
ping_is() { [[ $(curl -sk -m 5 -o /dev/null -w '%{http_code}' "https://$(address "$1")/_ping") = "$2" ]]; }
ok_replicas() {
	curl -sk -m 10 -u "admin:$(<"$QUORATE_LAB/ucp/password")" "https://$(address "$1")/api/v0/meta/cluster_status" |
		jq -r '.replica_health | to_entries[] | select(.value == "OK") | .key' | sort
}
replicas_are() { same "$2" count ok_replicas "$1"; }
databases() { docker_on "$1" ps -a --filter name=dtr-rethinkdb --format '{{.Names}}' | sed 's/.*-//'; }

@test "a cut of three and two: the two are removed before others join, and nothing of them is left to come back" {
	rest_depends
	until_ 60 replicas_are node2 5
	"$lab" part node5 node6
	until_ 60 replicas_are node2 3
	"$lab" mark
	quorate_as emergency run dtr/emergency-repair --yes --attest node5,node6
	exits emergency 4
	says emergency 'dtr/repair-replicas'
	same "" "$lab" changes
	LIMIT=300 quorate_as repair run dtr/repair-replicas --input join_on=node7,node8 --yes
	exits repair 0
	said repair | awk '/ ok +remove/ { r = NR } / start +join\[/ { if (!r) exit 1; j = NR } END { exit !(r && j) }'
	replicas_are node2 5
	ping_is node7 200
	ping_is node8 200
	"$lab" heal node5 node6
	same "" databases node5
	same "" databases node6
	replicas_are node2 5
}

@test "two of five lose power: they are removed, and two new ones join" {
	rest_depends
	"$lab" kill node7 node8
	until_ 60 replicas_are node2 3
	LIMIT=300 quorate_as repair run dtr/repair-replicas --input join_on=node5,node6 --yes
	exits repair 0
	replicas_are node2 5
	ping_is node5 200
	ping_is node6 200
	[[ -n $(databases node5) && -n $(databases node6) ]]
}
