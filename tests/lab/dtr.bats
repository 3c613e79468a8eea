#!/usr/bin/env bats
# shellcheck disable=SC2154
# DTR on a real swarm, with stand-ins for its images: each runbook from its situation to its postconditions, which are looked at through curl and the
# docker client.

bats_require_minimum_version 1.5.0
load scenario

setup_file() {
	lab_claim 18 "$QUORATE"
	[[ -z $WHY_NOT ]] || return 0
	command -v go >/dev/null || WHY_NOT="go is missing, which the stand-ins are built with"
	[[ -z $WHY_NOT ]] || return 0
	lab_up 5 --managers 1 --workers 4
	"$lab" enterprise front
	"$lab" enterprise dtr node2 node3 node4
	"$lab" mark
}
teardown_file() { lab_close; }
setup() { lab_need; }
teardown() { lab_evidence; }

address() { echo "10.99.$QUORATE_LAB_NET.${1#node}"; }
ping_is() { [[ $(curl -sk -m 5 -o /dev/null -w '%{http_code}' "https://$(address "$1")/_ping") = "$2" ]]; }

# The IDs that DTR names OK, asked on a node, with the administrator's password.
ok_replicas() {
	curl -sk -m 10 -u "admin:$(<"$QUORATE_LAB/ucp/password")" "https://$(address "$1")/api/v0/meta/cluster_status" |
		jq -r '.replica_health | to_entries[] | select(.value == "OK") | .key' | sort
}
replicas_are() { same "$2" count ok_replicas "$1"; }

# The IDs of the databases on a node, as the engine tells.
databases() { docker_on "$1" ps -a --filter name=dtr-rethinkdb --format '{{.Names}}' | sed 's/.*-//'; }
# Whom the run called unattested wants somebody's word for.
missing() { said unattested | sed -n 's/.*--attest //p'; }
refused() {
	exits "$1" 4
	same "" "$lab" changes
	says "$1" 'nothing was changed'
}

@test "everything is well: a repair is refused, and a backup is made" {
	rest_depends
	until_ 60 replicas_are node2 3
	"$lab" mark
	quorate_as well run dtr/repair-replicas --yes
	refused well
	quorate_as emergency run dtr/emergency-repair --yes
	refused emergency
	says emergency 'dtr/repair-replicas'
	quorate_as backup run dtr/backup --input file=dtr.tar --yes
	exits backup 0
	tar -tf "$BATS_FILE_TMPDIR/home/dtr.tar" | grep -q '^dtr-backup-v2.6.4/rethink/properties/'
	[[ $(stat -c %a "$BATS_FILE_TMPDIR/home/dtr.tar") = 600 ]]
}

# The most memory, in KiB, that the run called NAME is seen to have while it is under way.
peak_of() {
	local peak=0 now
	until quorate_ended "$1"; do
		now=$(awk '/^VmHWM/ { print $2 }' "/proc/$(pgrep -P "$(<"$BATS_FILE_TMPDIR/$1.pid")" 2>/dev/null)/status" 2>/dev/null) || now=0
		((${now:-0} <= peak)) || peak=$now
		sleep 0.2
	done
	echo "$peak"
}

@test "a backup of 2 GB takes less than 64 MiB, and one that is cut off does not take its place" {
	local file=$BATS_FILE_TMPDIR/home/big.tar folder=$QUORATE_LAB/node2/data/volumes/dtr-rethink-000000000002/_data sum
	echo 2G >"$folder/filler"
	quorate_start big run dtr/backup --input file=big.tar --yes
	peak=$(peak_of big)
	exits big 0
	((peak > 0 && peak < 65536)) || { echo "$peak KiB"; false; }
	(($(stat -c %s "$file") > 2000000000))
	rm "$folder/filler"
	sum=$(sha256sum "$file")
	"$lab" fault node2 backup corrupt
	quorate_as cut run dtr/backup --input file=big.tar --yes
	exits cut 1
	says cut 'cut off|damaged'
	same "$sum" sha256sum "$file"
	"$lab" fault node2 backup
	rm -f "$file"*
}

@test "one replica is down: it is removed, and a new one joins" {
	rest_depends
	"$lab" kill node4
	"$lab" mark
	quorate_as emergency run dtr/emergency-repair --yes --attest node4
	refused emergency
	quorate_as repair run dtr/repair-replicas --input join_on=node5 --yes
	exits repair 0
	replicas_are node2 3
	ping_is node5 200
	[[ -n $(databases node5) ]]
	[[ $(ok_replicas node2) != *000000000004* ]]
}

@test "a majority is down, and the best replica cannot be repaired: the next one is taken" {
	rest_depends
	"$lab" kill node5
	docker_on node3 stop dtr-rethinkdb-000000000003
	"$lab" fault node2 emergency-repair fail-before
	"$lab" mark
	quorate_as repair run dtr/repair-replicas --yes
	refused repair
	says repair 'dtr/emergency-repair'
	quorate_as unattested run dtr/emergency-repair --input replicas=1 --yes
	exits unattested 5
	same "" "$lab" changes
	# Two machines are down: which of them had the replica is not known any more, so it is named by its ID.
	quorate_as emergency run dtr/emergency-repair --input replicas=1 --yes --attest "$(missing)"
	exits emergency 0
	says emergency 'FAILED +alone.repair\[node2\]'
	same 000000000003 ok_replicas node3
	ping_is node3 200
	same "" databases node2
	"$lab" fault node2 emergency-repair
}

@test "it grows again" {
	rest_depends
	"$lab" wipe node4
	"$lab" start node4
	"$lab" enterprise images
	join=$(docker_on node1 swarm join-token -q worker)
	docker_on node4 swarm join --token "$join" --advertise-addr "$(address node4)" "$(address node1)"
	quorate_as grow run dtr/repair-replicas --input replicas=3 --input join_on=node2,node4 --yes
	exits grow 0
	replicas_are node3 3
	ping_is node4 200
}

@test "everything is lost: only a whole backup of the same version is restored" {
	rest_depends
	local node home=$BATS_FILE_TMPDIR/home
	for node in node2 node3 node4; do
		docker_on "$node" ps -aq --filter name=dtr- | xargs -r timeout 60 "$lab" docker "$node" rm -f >/dev/null
		docker_on "$node" volume ls -q --filter name=dtr-rethink | xargs -r timeout 60 "$lab" docker "$node" volume rm >/dev/null
	done
	"$lab" mark
	quorate_as emergency run dtr/emergency-repair --yes
	refused emergency
	says emergency 'dtr/restore-from-backup'
	head -c 4096 "$home/dtr.tar" >"$home/cut.tar"
	quorate_as cut run dtr/restore-from-backup --input file=cut.tar --yes
	refused cut
	says cut 'cut off'
	quorate_as other run dtr/restore-from-backup --input file=dtr.tar --input image=docker/dtr:2.7.6 --yes
	refused other
	says other 'its own version'
	quorate_as restore run dtr/restore-from-backup --input file=dtr.tar --input join_on=node3,node4 --yes
	exits restore 0
	replicas_are node2 3
	ping_is node4 200
}

@test "a wrong password is refused before anything is changed, and is nowhere to be seen" {
	local wrong='Wr0ng-pass word' where
	sed "s#file:ucp/password#env:WRONG#" "$QUORATE_LAB/site.yaml" >"$QUORATE_LAB/wrong.yaml"
	"$lab" kill node4
	"$lab" mark
	WRONG=$wrong SITE=$QUORATE_LAB/wrong.yaml quorate_as wrong run dtr/repair-replicas --input replicas=1 --yes
	refused wrong
	for where in "$wrong" "$(printf %s "$wrong" | base64)" "$(jq -rn --arg s "$wrong" '$s | @uri')" "$(<"$QUORATE_LAB/ucp/password")"; do
		if grep -rF -- "$where" "$BATS_FILE_TMPDIR" "$QUORATE_LAB/journal.db"*; then return 1; fi
	done
}
