#!/usr/bin/env bats
# shellcheck disable=SC2154
# The stand-in for DTR: that it keeps the rules of the real one, as the docker client and curl see them. Quorate has no part in this.

bats_require_minimum_version 1.5.0
load scenario

# shellcheck disable=SC2034 # for lab_evidence
setup_file() {
	lab_claim 12
	[[ -z $WHY_NOT ]] || return 0
	lab_up 5 --managers 1
	"$lab" enterprise front
	"$lab" enterprise dtr node2 node3 node4
}
teardown_file() { lab_close; }
setup() { lab_need; }
teardown() { lab_evidence; }

replica() { printf '%012x' "${1#node}"; }
at() { echo "https://10.99.$QUORATE_LAB_NET.${1#node}"; }
ping_of() { curl -sk -m 5 -o /dev/null -w '%{http_code}' "$(at "$1")/_ping" || true; }

# Why a replica may not answer: what runs, and what each database says.
network_of() {
	local n
	for n in 2 3 4 5; do
		docker_on "node$n" ps -a --format "node$n {{.Names}} {{.Status}}" | grep -E 'nginx|rethinkdb' || true
		docker_on "node$n" ps -aq --filter name=dtr-rethinkdb | xargs -r timeout 25 "$lab" docker "node$n" logs --tail 3 || true
		curl -s -m 3 "http://10.99.$QUORATE_LAB_NET.$n:29015/status" | jq -c 'del(.Settings)' || true
	done
} 2>&1

# pings CODE NODE...: until every one answers so; 000 is no answer.
pings() {
	local code=$1 node
	shift
	for node; do until_ 20 same "$code" ping_of "$node" || { network_of; return 1; }; done
}

admin() { curl -sk -m 10 -u "admin:$(<"$QUORATE_LAB/ucp/password")" "$@"; }
health() { admin "$(at "$1")/api/v0/meta/cluster_status" | jq -r '.replica_health | to_entries[] | "\(.key) \(.value)"'; }
members() { health "$1" | cut -d' ' -f1 | xargs; }
repositories() { admin "$(at "$1")/api/v0/repositories" | jq -r '.repositories[] | "\(.namespace)/\(.name)"' | xargs; }

# refused REGEX NODE COMMAND...: DTR's tool fails with status 1 and one fatal line that matches.
refused() {
	local what=$1
	shift
	run -1 "$lab" dtr "$@" </dev/null
	[[ $(grep -cE '^time="[^"]*" level=fatal msg=".*"$' <<<"$output") = 1 ]]
	grep level=fatal <<<"$output" | grep -qE -- "$what" || { echo "$output"; return 1; }
}

comes_back() { "$lab" start "$@" && "$lab" settle "$@"; }
left_on() { docker_on "$1" ps -a --format '{{.Names}}' | grep dtr-; docker_on "$1" volume ls -q | grep dtr-; }
fault() { "$lab" fault node5 "$@"; }

@test "a replica is nine containers with their names, labels, volumes and network" {
	local i
	i=$(replica node2)
	same "api garant jobrunner nginx notary-server notary-signer registry rethinkdb scanningstore" \
		eval "docker_on node2 ps --filter name=$i --format '{{.Names}}' | sed 's/^dtr-//; s/-$i\$//' | sort | xargs"
	same "ca notary postgres registry rethink" eval "docker_on node2 volume ls -q | sed -n 's/^dtr-\\(.*\\)-$i\$/\\1/p' | sort | xargs"
	same "2.6.4 $i docker/dtr-rethink:2.6.4" docker_on node2 inspect -f \
		'{{index .Config.Labels "com.docker.dtr.version"}} {{index .Config.Labels "com.docker.dtr.replica"}} {{.Config.Image}}' "dtr-rethinkdb-$i"
	same "overlay true" docker_on node1 network inspect -f '{{.Driver}} {{.Attachable}}' dtr-ol
	until_ 30 same healthy docker_on node2 inspect -f '{{.State.Health.Status}}' "dtr-nginx-$i"
}

@test "three replicas are healthy, and only an administrator of UCP is told more" {
	pings 200 node2 node3 node4
	same '{"Error":"","Healthy":true}' curl -sk "$(at node2)/_ping"
	until_ 10 same "$(printf '%s OK\n' "$(replica node2)" "$(replica node3)" "$(replica node4)")" health node3
	same 401 curl -sk -o /dev/null -w '%{http_code}' "$(at node2)/api/v0/meta/cluster_status"
	same 401 curl -sk -o /dev/null -w '%{http_code}' -u admin:wrong "$(at node2)/api/v0/meta/cluster_status"
	curl -sk "$(at node2)/ca" >"$BATS_TEST_TMPDIR/ca.pem"
	same 200 curl -s --cacert "$BATS_TEST_TMPDIR/ca.pem" -o /dev/null -w '%{http_code}' "$(at node2)/_ping"
}

@test "what the tool refuses" {
	refused 'flag provided but not defined: -force' node5 remove --force
	refused 'unknown command' node5 repair
	refused 'invalid username or password' node5 destroy --ucp-password wrong --replica-id "$(replica node2)"
	refused 'certificate' node5 destroy --ucp-ca "$(curl -sk "$(at node2)/ca")" --replica-id "$(replica node2)"
	refused 'unable to read the answer' node5 remove --existing-replica-id "$(replica node2)"
	refused 'hosts replica .* already' node5 join --existing-replica-id "$(replica node2)" --ucp-node node3
	refused 'DTR is installed already' node5 install --ucp-node node5
	refused 'use docker destroy|cannot be removed' node5 remove --existing-replica-id "$(replica node2)" --replica-ids "$(replica node2)"
	refused 'destroy all replicas first' node5 restore --dtr-use-default-storage
	refused 'not available here' node5 upgrade
	DTR_VERSION=2.7.6 refused 'use the image of the same version' node5 backup --existing-replica-id "$(replica node2)"
	members=$(members node2)
	same "$(replica node2) $(replica node3) $(replica node4)" echo "$members"
}

@test "images names one image a line" {
	same 10 eval '"$lab" dtr node5 images | grep -c "^docker/dtr.*:2.6.4$"'
}

@test "with one of three dead the others are healthy; removed, another joins, and the data is there" {
	rest_depends
	admin -d '{"name":"web"}' "$(at node2)/api/v0/repositories/ops"
	"$lab" kill node4
	until_ 20 same "$(replica node4) Replica" eval "health node2 | grep -v OK | cut -d' ' -f1,2"
	pings 200 node2 node3
	"$lab" dtr node5 remove --existing-replica-id "$(replica node2)" --replica-ids "$(replica node4)"
	same "$(replica node2) $(replica node3)" members node3
	"$lab" dtr node5 join --existing-replica-id "$(replica node2)" --ucp-node node5 --replica-id "$(replica node5)"
	same "$(replica node2) $(replica node3) $(replica node5)" members node5
	pings 200 node2 node3 node5
	same ops/web repositories node5
}

@test "a removed replica that comes back counts the others, who do not count it" {
	comes_back node4
	pings 503 node4
	pings 200 node2 node3 node5
	refused 'hosts replica .* already' node5 join --existing-replica-id "$(replica node2)" --ucp-node node4
	"$lab" dtr node5 destroy --replica-id "$(replica node4)"
	same "" left_on node4
}

@test "a backup is a tar on stdout, and its log is on stderr" {
	rest_depends
	"$lab" dtr node5 backup --existing-replica-id "$(replica node2)" >"$BATS_FILE_TMPDIR/backup.tar" 2>"$BATS_TEST_TMPDIR/log"
	grep -q 'level=info msg="Backup is complete"' "$BATS_TEST_TMPDIR/log"
	same dtr-backup-v2.6.4/ eval 'tar -tf "$BATS_FILE_TMPDIR/backup.tar" | head -n 1'
	tar -tf "$BATS_FILE_TMPDIR/backup.tar" | grep -qx dtr-backup-v2.6.4/rethink/layers/
	same ops/web eval 'tar -xOf "$BATS_FILE_TMPDIR/backup.tar" dtr-backup-v2.6.4/rethink/repositories/0 | jq -r "\"\(.namespace)/\(.name)\""'
}

@test "a backup is as big as the replica's filler" {
	echo 300M >"$QUORATE_LAB/node2/data/volumes/dtr-rethink-$(replica node2)/_data/filler"
	same yes eval '(( $("$lab" dtr node5 backup --existing-replica-id "$(replica node2)" 2>/dev/null | wc -c) > 300 << 20 )) && echo yes'
	rm "$QUORATE_LAB/node2/data/volumes/dtr-rethink-$(replica node2)/_data/filler"
}

@test "faults are told by a volume of the engine that runs the tool" {
	fault backup fail-before
	refused 'fault injected' node5 backup --existing-replica-id "$(replica node2)"
	fault backup corrupt
	"$lab" dtr node5 backup --existing-replica-id "$(replica node2)" >"$BATS_TEST_TMPDIR/part.tar"
	run ! tar -tf "$BATS_TEST_TMPDIR/part.tar"
	fault backup
	fault join hang
	run -124 timeout 8 "$lab" dtr node5 join --existing-replica-id "$(replica node2)" --ucp-node node4
	until_ 10 same 0 eval "docker_on node5 ps --format '{{.Image}}' | grep -cx docker/dtr:2.6.4"
	same "" left_on node4
	fault join
}

@test "with two of three dead nothing can be decided" {
	rest_depends
	"$lab" kill node3 node5
	pings 503 node2
	same 500 eval 'admin -o /dev/null -w "%{http_code}" "$(at node2)/api/v0/meta/cluster_status"'
	refused 'is not healthy' node4 remove --existing-replica-id "$(replica node2)" --replica-ids "$(replica node3)"
	refused 'is not healthy' node4 join --existing-replica-id "$(replica node2)" --ucp-node node4
	refused 'is not healthy' node4 backup --existing-replica-id "$(replica node2)"
	same "" left_on node4
}

@test "emergency repair asks, and makes a cluster of one with the data that there is" {
	rest_depends
	refused 'unable to read the answer' node4 emergency-repair --existing-replica-id "$(replica node2)"
	pings 503 node2
	"$lab" dtr node4 emergency-repair --existing-replica-id "$(replica node2)" --yes
	pings 200 node2
	same "$(replica node2)" members node2
	same ops/web repositories node2
}

@test "two old members that come back are a cluster beside the repaired one" {
	comes_back node3 node5
	pings 200 node3 node5
	same "$(replica node2)" members node2
	same "$(replica node2) $(replica node3) $(replica node5)" members node3
}

@test "a repair checks the survivor before it changes the others, and prunes them when told" {
	"$lab" corrupt node2
	pings 503 node2
	refused 'corrupt' node4 emergency-repair --existing-replica-id "$(replica node2)" --yes --prune
	pings 200 node3 node5
	"$lab" dtr node4 emergency-repair --existing-replica-id "$(replica node3)" --yes --prune
	same "$(replica node3)" members node3
	same "" left_on node2
	same "" left_on node5
}

@test "destroy takes one replica and tells nobody" {
	rest_depends
	"$lab" dtr node4 join --existing-replica-id "$(replica node3)" --ucp-node node5 --replica-id "$(replica node5)"
	"$lab" dtr node4 destroy --replica-id "$(replica node5)"
	same "" left_on node5
	pings 503 node3
	"$lab" dtr node4 destroy --replica-id "$(replica node3)"
	same "" left_on node3
}

@test "a restore wants the same version, a whole backup and a storage, and gives back what was saved" {
	local backup=$BATS_FILE_TMPDIR/backup.tar
	run -1 "$lab" dtr node4 restore --ucp-node node2 <"$backup"
	DTR_VERSION=2.7.6 run -1 "$lab" dtr node4 restore --dtr-use-default-storage --ucp-node node2 <"$backup"
	head -c 3000 "$backup" >"$BATS_TEST_TMPDIR/part.tar"
	run -1 "$lab" dtr node4 restore --dtr-use-default-storage --ucp-node node2 <"$BATS_TEST_TMPDIR/part.tar"
	same "" left_on node2
	"$lab" dtr node4 restore --dtr-use-default-storage --ucp-node node2 --replica-id 0123456789ab <"$backup"
	pings 200 node2
	same 0123456789ab members node2
	same ops/web repositories node2
}

@test "a replica outlives a restart of its engine" {
	"$lab" stop node2
	comes_back node2
	pings 200 node2
	"$lab" kill node2
	comes_back node2
	pings 200 node2
}
