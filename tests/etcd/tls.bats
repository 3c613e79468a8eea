#!/usr/bin/env bats
# The same behind TLS with client certificates, and with users and roles.

load cluster

certificate() { # NAME SUBJECT-ALT-NAME
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.csr" -subj "${3:-/O=quorate test}" 2>/dev/null
	openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out "$1.pem" -extfile <(echo "subjectAltName=$2") 2>/dev/null
}

setup_file() {
	reason=$(etcd_why_not) && skip "$reason"
	cd "$BATS_FILE_TMPDIR" || return
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=test-ca 2>/dev/null
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout other.key -out other-ca.pem -days 2 -subj /CN=other-ca 2>/dev/null
	certificate server IP:127.0.0.1
	certificate client DNS:operator
	etcd_new tls --cert-file "$PWD/server.pem" --key-file "$PWD/server.key" --client-cert-auth --trusted-ca-file "$PWD/ca.pem"
	etcd_start tls 0 1 2
	ctl=(--cacert "$PWD/ca.pem" --cert "$PWD/client.pem" --key "$PWD/client.key")
	etcd_ready tls "${ctl[@]}"
	etcdctl --endpoints "$(etcd_hosts tls)" "${ctl[@]}" user add root:rootpass
	etcdctl --endpoints "$(etcd_hosts tls)" "${ctl[@]}" user add ann:annpass99
	etcdctl --endpoints "$(etcd_hosts tls)" "${ctl[@]}" role add journal
	etcdctl --endpoints "$(etcd_hosts tls)" "${ctl[@]}" role grant-permission journal --prefix=true readwrite quorate/
	etcdctl --endpoints "$(etcd_hosts tls)" "${ctl[@]}" user grant-role ann journal
	etcdctl --endpoints "$(etcd_hosts tls)" "${ctl[@]}" auth enable
}

teardown_file() { etcd_kill tls 0 1 2; }

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	export XDG_STATE_HOME=$BATS_TEST_TMPDIR/state PASS=annpass99
	cat >book.yaml <<-'Y'
		runbook: book
		version: 1.0.0
		title: One step
		steps: [ { id: one, command: [sh, -c, "echo one >> trace"] } ]
	Y
	site
}

# site [SED]: a site whose store is that etcd.
site() {
	sed "${1-}" >site.yaml <<-Y
		site: tls
		nodes: { n1: {} }
		store:
		  url: etcd://$(etcd_hosts tls)
		  ca: $BATS_FILE_TMPDIR/ca.pem
		  cert: $BATS_FILE_TMPDIR/client.pem
		  key: $BATS_FILE_TMPDIR/client.key
		  username: ann
		  password: { from: "env:PASS" }
	Y
}

q() { timeout --kill-after=5 120 "$QUORATE" "$@"; }

# refused STATUS PATTERN: a run ends so before anything is done.
refused() {
	local status=0
	q run book.yaml --yes >out.txt 2>&1 || status=$?
	cat out.txt
	[ "$status" = "$1" ]
	grep "$2" out.txt
	[ ! -e trace ]
	! grep -e rootpass -e annpass99 -e wrongpass out.txt
}

@test "a run with a client certificate and a password, read back" {
	q run book.yaml --yes
	q runs | grep ' ok '
	q show last | grep 'every step ended well'
	q export last >run.jsonl
	! grep -r annpass99 .
}

@test "a token that was forgotten is asked for anew" {
	q run book.yaml --yes
	for i in 0 1 2; do etcd_kill tls $i; etcd_start tls $i; done # tokens are only in their memory
	ctl=(--cacert "$BATS_FILE_TMPDIR/ca.pem" --cert "$BATS_FILE_TMPDIR/client.pem" --key "$BATS_FILE_TMPDIR/client.key" --user root:rootpass)
	etcd_ready tls "${ctl[@]}"
	q show last | grep 'every step ended well'
}

@test "a wrong password" {
	PASS=wrongpass refused 9 'authentication failed, invalid user ID or password'
}

@test "no password where the site says it is" {
	PASS='' refused 9 'the password of ann at .* is not found'
}

@test "nobody signed in" {
	site '/username\|password/d'
	refused 9 'it wants to know who we are: give the store a username and a password'
}

@test "a server that another authority has signed" {
	site 's/ca.pem/other-ca.pem/'
	refused 9 'certificate'
}

@test "no client certificate" {
	site '/cert:\|key:/d'
	refused 9 'no majority of it answers'
}

@test "keys that the user may not touch" {
	site 's|url: .*|&/elsewhere|'
	refused 9 'permission denied'
	grep 'needs a role with readwrite on the keys that begin with elsewhere/' out.txt
}

@test "a password in the clear over the network" {
	site '/ca:\|cert:\|key:/d; s|etcd://[^ ]*|etcd://192.0.2.1:2379|'
	refused 9 'a password would go over the network in the clear'
}
