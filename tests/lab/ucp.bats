#!/usr/bin/env bats
# shellcheck disable=SC2154
# UCP on three managers; it is backed up, two managers lose power for good, and it is recovered from the one that is left.

bats_require_minimum_version 1.5.0
load scenario

setup_file() {
	lab_claim 17 "$QUORATE"
	[[ -z $WHY_NOT ]] || return 0
	lab_up 3
	"$lab" enterprise ucp
}
teardown_file() { lab_close; }
setup() { lab_need; }
teardown() { lab_evidence; }

ping_of() { curl -sk -m 8 -o /dev/null -w '%{http_code}' "https://10.99.$QUORATE_LAB_NET.${1#node}/_ping" || true; }

@test "a backup is written whole, for its owner alone, with its manifest" {
	rest_depends
	quorate_as backup run ucp/backup --yes --input "file=$BATS_FILE_TMPDIR/ucp.tar"
	exits backup 0
	[[ $(stat -c %a "$BATS_FILE_TMPDIR/ucp.tar") = 600 ]]
	tar -tf "$BATS_FILE_TMPDIR/ucp.tar" | grep -q ucp-kv
	[[ $(jq -r .version "$BATS_FILE_TMPDIR/ucp.tar.json") = 3.1.4 ]]
}

@test "a tool of somebody else that is at work is left alone" {
	docker_on node1 run -d --name ucp --entrypoint /standin docker/ucp:3.1.4 nothing || true
	quorate_as collision run ucp/backup --yes --input node=node1 --input "file=$BATS_FILE_TMPDIR/other.tar"
	docker_on node1 rm -f ucp
	exits collision 1
	says collision 'ucp'
	[[ ! -e $BATS_FILE_TMPDIR/other.tar ]]
}

# What ucp-kv has on its disks is damaged on every manager: UCP runs, and cannot become well by itself.
lose_ucp() {
	local node
	for node in node1 node2 node3; do
		echo '####' >"$QUORATE_LAB/$node/data/volumes/ucp-kv/_data/members.json"
		docker_on "$node" restart ucp-kv
	done
}

@test "UCP's data is damaged on every manager: it is uninstalled, and the backup restored" {
	rest_depends
	lose_ucp
	until_ 60 same 500 ping_of node1
	LIMIT=300 quorate_as restore run ucp/restore-from-backup --yes --input "file=$BATS_FILE_TMPDIR/ucp.tar"
	exits restore 0
	for node in node1 node2 node3; do until_ 60 same 200 ping_of "$node"; done
	jq -n --arg p "$(<"$QUORATE_LAB/ucp/password")" '{username: "admin", password: $p}' |
		curl -sfk -d @- "https://10.99.$QUORATE_LAB_NET.1/auth/login" | jq -e .auth_token
}

@test "UCP is recovered from the manager that is left, and backed up again" {
	"$lab" kill node2 node3
	LIMIT=300 quorate_as recover run ucp/recover-without-backup --yes --attest node2,node3 --input grace=5s --input replacements=1s --input copy_aside=false \
		--input "file=$BATS_FILE_TMPDIR/left.tar"
	exits recover 11
	says recover 'UCP works, on 1 of 3 managers'
	same 200 ping_of node1
	[[ -s $BATS_FILE_TMPDIR/left.tar && -s $BATS_FILE_TMPDIR/left.tar.after ]]
}
