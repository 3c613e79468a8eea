#!/usr/bin/env bats
# shellcheck disable=SC2154
# The stand-in for UCP: that it keeps the rules of the real one, as the docker client and curl see them. Quorate has no part in this.

bats_require_minimum_version 1.5.0
load scenario

setup_file() {
	lab_claim 13
	[[ -z $WHY_NOT ]] || return 0
	lab_up 3 --workers 1
	"$lab" enterprise ucp
}
teardown_file() { lab_close; }
setup() { lab_need; }
teardown() { lab_evidence; }

at() { echo "https://10.99.$QUORATE_LAB_NET.${1#node}"; }
ping_of() { curl -sk -m 8 -o /dev/null -w '%{http_code}' "$(at "$1")/_ping" || true; }

# tool NODE COMMAND...: UCP's tool there, with the standard input as it is.
tool() {
	local node=$1
	shift
	timeout 400 "$lab" docker "$node" run --rm -i --log-driver none --name ucp -v /var/run/docker.sock:/var/run/docker.sock "docker/ucp:${VERSION:-3.1.4}" "$@"
}

# refused REGEX NODE COMMAND...: the tool fails with status 1 and one fatal line that matches.
refused() {
	local what=$1
	shift
	run -1 tool "$@"
	[[ $(grep -cE '^time="[^"]*" level=fatal msg=".*"$' <<<"$output") = 1 ]] || { echo "$output"; return 1; }
	grep level=fatal <<<"$output" | grep -qE -- "$what" || { echo "$output"; return 1; }
}

# The body of a login, and what the answer is.
login() {
	jq -n --arg name admin --arg password "$2" '{ username: $name, password: $password }' |
		curl -sk -m 10 -d @- -w '\n%{http_code}\n' "$(at "$1")/auth/login"
}
password() { cat "$QUORATE_LAB/ucp/password"; }
token() { login "$1" "$(password)" | head -n 1 | jq -r .auth_token; }
asks() { curl -sk -m 20 -H "Authorization: Bearer $(token "$1")" "$(at "$1")$2"; }

components() { docker_on "$1" ps --filter name=ucp- --format '{{.Names}}' | grep -v '^ucp-agent' | sort | xargs; }
volumes() { docker_on "$1" volume ls -q | grep -c '^ucp-' || true; }
left_on() { docker_on "$1" ps -a --format '{{.Names}}' | grep '^ucp-'; docker_on "$1" volume ls -q | grep '^ucp-'; true; }
instance() { docker_on node1 service inspect ucp-agent --format '{{index .Spec.Labels "com.docker.ucp.InstanceID"}}'; }

manager="ucp-auth-api ucp-auth-store ucp-auth-worker ucp-client-root-ca ucp-cluster-root-ca ucp-controller ucp-dsinfo ucp-kv ucp-metrics ucp-proxy ucp-swarm-manager"
worker="ucp-dsinfo ucp-proxy"

# whole: UCP is on all three nodes, and answers on both managers.
whole() {
	until_ 60 same 200 ping_of node1
	until_ 60 same 200 ping_of node2
	same "$manager" components node1
	same "$manager" components node2
	same "$worker" components node3
	same 14 volumes node1
	same 14 volumes node2
	same 1 volumes node3
}

@test "UCP is a global service, and containers and volumes with its names on managers and workers" {
	whole
	same "global 3.1.4" docker_on node1 service inspect ucp-agent \
		--format '{{with .Spec.Mode.Global}}global{{end}} {{index .Spec.Labels "com.docker.ucp.version"}}'
	same docker/ucp-proxy:3.1.4 docker_on node3 inspect --format '{{.Config.Image}}' ucp-proxy
}

@test "each manager answers GET /_ping, by the CA that the site names; HEAD is not found" {
	local ca=$QUORATE_LAB/ucp-ca.pem
	curl -sf --cacert "$ca" "$(at node1)/_ping"
	curl -sf --cacert "$ca" "$(at node2)/_ping"
	[[ $(curl -sk "$(at node2)/ca") = "$(<"$ca")" ]]
	[[ $(curl -skI -o /dev/null -w '%{http_code}' "$(at node1)/_ping") = 404 ]]
}

@test "the administrator's password opens every manager, a wrong one is refused, and without a session nothing is told" {
	login node1 "$(password)" | tail -n 1 | grep -qx 200
	login node2 "$(password)" | tail -n 1 | grep -qx 200
	login node1 wrong | tail -n 1 | grep -qx 401
	[[ $(curl -sk -o /dev/null -w '%{http_code}' "$(at node1)/containers/json") = 401 ]]
	[[ $(curl -sk -H "Authorization: Bearer $(token node1)" -o /dev/null -w '%{http_code}' "$(at node2)/nodes") = 200 ]]
}

@test "a controller shows the containers and volumes of all nodes, by their node" {
	asks node1 '/containers/json?all=1' | jq -r '.[].Names[0]' >"$BATS_TEST_TMPDIR/names"
	grep -qx /node1/ucp-kv "$BATS_TEST_TMPDIR/names"
	grep -qx /node2/ucp-controller "$BATS_TEST_TMPDIR/names"
	grep -qx /node3/ucp-proxy "$BATS_TEST_TMPDIR/names"
	asks node2 /volumes | jq -r '.Volumes[].Name' | grep -qx node3/ucp-node-certs
}

@test "a bundle opens UCP for the docker client, which makes a container on a node of its choice" {
	cd "$BATS_TEST_TMPDIR"
	asks node1 /api/clientbundle >bundle.zip
	python3 -m zipfile -e bundle.zip . 2>/dev/null || unzip -q bundle.zip
	curl -sf --cacert ca.pem --cert cert.pem --key key.pem "$(at node2)/info" | jq -r .ServerVersion | grep -qx ucp/3.1.4
	# shellcheck disable=SC1091
	. ./env.sh
	same "hello" timeout 30 docker run --rm -e constraint:node==node3 --name greeter "$("$lab" image)" echo hello
	docker run -d --name node3/resting "$("$lab" image)" sleep 1000
	unset DOCKER_HOST DOCKER_TLS_VERIFY DOCKER_CERT_PATH
	same resting docker_on node3 ps --filter name=resting --format '{{.Names}}'
	docker_on node3 rm -f resting
}

@test "the tool wants the engine's socket, and knows its commands and flags" {
	run -1 docker_on node1 run --rm docker/ucp:3.1.4 id
	[[ $output = *"unable to get valid Docker client: unable to ping Docker daemon"* ]]
	refused 'unknown command' node1 recover
	refused 'not defined: -force' node1 restore --force
	same "$(instance)" tool node2 id
}

@test "a container of UCP that is removed comes again" {
	docker_on node3 rm -f ucp-proxy
	until_ 30 same "$worker" components node3
}

@test "a backup is a tar with the volumes of a manager; up to 3.1 it takes the ID" {
	rest_depends
	refused 'ID is needed' node2 backup
	refused 'does not match' node2 backup --id 0123456789abcdefghijklmno
	refused 'not a swarm manager' node3 backup --id "$(instance)"
	tool node2 backup --id "$(instance)" >"$BATS_FILE_TMPDIR/backup.tar" 2>"$BATS_FILE_TMPDIR/backup.log"
	tar --list -f "$BATS_FILE_TMPDIR/backup.tar" >"$BATS_TEST_TMPDIR/list"
	grep -qx ./ucp-node-certs/key.pem "$BATS_TEST_TMPDIR/list"
	[[ $(wc -l <"$BATS_TEST_TMPDIR/list") -gt 100 ]]
	tool node2 backup --id "$(instance)" --passphrase secret >"$BATS_TEST_TMPDIR/sealed" 2>/dev/null
	[[ $(head -c 1 "$BATS_TEST_TMPDIR/sealed" | od -An -tx1) = *c3 ]]
	whole
}

@test "a fault of a command comes before it changes anything, and goes when it is taken back" {
	"$lab" fault node1 uninstall-ucp fail-before
	refused 'fault injected' node1 uninstall-ucp --id "$(instance)"
	"$lab" fault node1 uninstall-ucp
	whole
}

@test "UCP is unhealthy without a majority of its managers, and healthy again when they are back" {
	"$lab" cut node2
	until_ 30 same 500 ping_of node1
	"$lab" heal node2
	until_ 60 same 200 ping_of node1
	until_ 60 same 200 ping_of node2
}

@test "uninstalling asks, refuses another cluster's ID, and leaves nothing" {
	rest_depends
	until_ 60 eval 'docker_on node1 node ls --format "{{.Status}}" | grep -cx Ready | grep -qx 3'
	refused 'unable to read the answer' node1 uninstall-ucp --interactive </dev/null
	refused 'does not match' node1 uninstall-ucp --id 0123456789abcdefghijklmno
	refused 'already installed' node1 restore <"$BATS_FILE_TMPDIR/backup.tar"
	tool node1 uninstall-ucp --id "$(instance)"
	until_ 20 same "" left_on node1
	until_ 20 same "" left_on node2
	until_ 20 same "" left_on node3
	same "" docker_on node1 service ls -q
	same "" docker_on node1 secret ls -q
	refused 'not installed' node1 id
}

@test "a restore wants its own version, a whole archive and nodes without any of UCP" {
	VERSION=3.2.5 refused 'docker/ucp:3.1.4' node1 restore <"$BATS_FILE_TMPDIR/backup.tar"
	head -c 20000 "$BATS_FILE_TMPDIR/backup.tar" >"$BATS_TEST_TMPDIR/torn"
	refused 'no readable archive' node1 restore <"$BATS_TEST_TMPDIR/torn"
	docker_on node3 volume create ucp-kv
	refused 'node3' node1 restore <"$BATS_FILE_TMPDIR/backup.tar"
	docker_on node3 volume rm ucp-kv
}

@test "a restore brings all of UCP back, with its users" {
	rest_depends
	tool node1 restore <"$BATS_FILE_TMPDIR/backup.tar"
	whole
	login node2 "$(password)" | tail -n 1 | grep -qx 200
	curl -sf --cacert "$QUORATE_LAB/ucp-ca.pem" "$(at node2)/_ping"
}

@test "a worker that is promoted gets what managers have, and gives it back when it is demoted" {
	docker_on node1 node promote node3
	until_ 60 same "$manager" components node3
	until_ 60 same 200 ping_of node3
	docker_on node1 node demote node3
	until_ 60 same "$worker" components node3
	until_ 60 same 1 volumes node3
	until_ 30 same 200 ping_of node1
}

@test "uninstalling fails while a node is down, and again with the node's record removed it is whole" {
	"$lab" kill node3
	refused 'unable to cleanly uninstall UCP' node1 uninstall-ucp --id "$(instance)" || {
		[[ $output = *"unable to cleanly uninstall UCP"* ]]
	}
	docker_on node1 node rm --force node3
	tool node1 uninstall-ucp --id "$(instance)"
	until_ 20 same "" left_on node1
	until_ 20 same "" left_on node2
}
