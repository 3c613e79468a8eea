#!/usr/bin/env bats
# shellcheck disable=SC2154
# Everything is down at once, and one runbook brings it back: the swarm, then UCP, then DTR. Looked at through curl and the docker client.

bats_require_minimum_version 1.5.0
load scenario

setup_file() {
	lab_claim 19 "$QUORATE"
	[[ -z $WHY_NOT ]] || return 0
	command -v go >/dev/null || WHY_NOT="go is missing, which the stand-ins are built with"
	[[ -z $WHY_NOT ]] || return 0
	lab_up 8 --managers 3 --workers 5
	"$lab" enterprise ucp --version 3.2.5
	"$lab" enterprise dtr node4 node5 node6
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
signs_in() {
	jq -n --arg p "$(<"$QUORATE_LAB/ucp/password")" '{username: "admin", password: $p}' |
		curl -sf --cacert "$QUORATE_LAB/ucp-ca.pem" -d @- "https://$(address "$1")/auth/login" | jq -e .auth_token
}

not_ready() { docker_on node1 node ls --format '{{.Hostname}} {{.Status}}' | awk '$2 != "Ready" { print $1 }'; }

@test "everything is well, and nothing is done" {
	rest_depends
	quorate_as well diagnose
	exits well 0
	"$lab" mark
	quorate_as recover run docker-enterprise/recover --yes
	exits recover 4
	same "" "$lab" changes
}

@test "two managers of three and two replicas of three are lost: the plan begins with the swarm, and changes nothing" {
	rest_depends
	"$lab" kill node2 node3 node6
	docker_on node5 stop dtr-rethinkdb-000000000005
	until_ 60 no_quorum node1
	"$lab" mark
	quorate_as diagnose diagnose
	exits diagnose 1
	says diagnose 'Begin with swarm/recover-quorum'
	quorate_as plan plan docker-enterprise/recover --attest node2,node3,node6
	exits plan 0
	says plan 'states, all safe'
	same "" "$lab" changes
	quorate_as unattested run docker-enterprise/recover --yes
	exits unattested 5
	same "" "$lab" changes
}

@test "the swarm comes back, then UCP, then DTR" {
	export LIMIT=420
	quorate_start recover run docker-enterprise/recover --input grace=5s --input heal=60s --input ucp_file=ucp.tar \
		--input join_on=node7,node5 --input replicas=3 --attest node2,node3,node6 --yes
	once recover 120 forced node1
	replace node2 node3
	"$lab" enterprise images
	quorate_end recover
	exits recover 0
	one_leader
	same $'node1\nnode2\nnode3' reachable_managers
	same node6 not_ready    # a worker; its record is nobody's business here
	same "" half_managers
	until_ 60 ping_is node1 200
	signs_in node1
	same 3 count ok_replicas node4
	ping_is node7 200
	# a layer is not touched before the one below is well
	said recover | awk '/ ok +swarm_well /{ s = NR } / ok +ucp_well /{ u = NR } / start +dtr_emergency /{ d = NR } END { exit !(s && s < u && u < d) }'
}
