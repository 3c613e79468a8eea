#!/usr/bin/env bats
# shellcheck disable=SC2154
# What is wrong is refused before anything changes, with what to do instead: UCP on three managers and a replica of DTR, healthy at first, then less and
# less so. No engine may be asked to change anything by any of these runs; and the password, right or wrong, is to be seen nowhere.

bats_require_minimum_version 1.5.0
load scenario

setup_file() {
	lab_claim 23 "$QUORATE"
	[[ -z $WHY_NOT ]] || return 0
	command -v go >/dev/null || WHY_NOT="go is missing, which the stand-ins are built with"
	[[ -z $WHY_NOT ]] || return 0
	lab_up 4 --managers 3 --workers 1
	"$lab" enterprise ucp --version 3.2.5
	"$lab" enterprise dtr node4
	"$lab" mark
}
teardown_file() { lab_close; }
setup() { lab_need; }
teardown() { lab_evidence; }

# wrong NAME STATUS REGEX QUORATE-ARGUMENT...: it ends so, says so, and no engine was asked to change anything.
wrong() {
	local name=$1 status=$2 what=$3
	shift 3
	"$lab" mark
	quorate_as "$name" "$@"
	exits "$name" "$status" && says "$name" "$what" && same "" "$lab" changes
}

# site SED-SCRIPT: the lab's site, changed.
site() {
	sed "$1" "$QUORATE_LAB/site.yaml" >"$QUORATE_LAB/other.yaml"
	echo "$QUORATE_LAB/other.yaml"
}

@test "backups are made of what is well" {
	rest_depends
	quorate_as ucp run ucp/backup --yes --input file=ucp.tar
	exits ucp 0
	quorate_as dtr run dtr/backup --yes --input file=dtr.tar
	exits dtr 0
}

@test "what is well is not repaired" {
	wrong quorum 4 'ucp/|dtr/|swarm/' run swarm/recover-quorum --yes
	wrong repair 4 'nothing to repair' run dtr/repair-replicas --input replicas=1 --yes
	wrong emergency 4 'Use dtr/repair-replicas' run dtr/emergency-repair --input replicas=1 --yes
	wrong dtr_restore 4 'Use dtr/repair-replicas' run dtr/restore-from-backup --input file=dtr.tar --yes
	wrong ucp_restore 4 'UCP is well .* though_healthy=true' run ucp/restore-from-backup --input file=ucp.tar --yes
	wrong without 4 'Make a backup \(ucp/backup\)' run ucp/recover-without-backup --input file=x.tar --yes
	wrong recover 4 'nothing to recover' run docker-enterprise/recover --yes
	wrong swarm_restore 4 'swarm' run swarm/restore --input file=dtr.tar --yes
}

@test "files that are no backup, or not a whole one, or another layer's, are not restored" {
	local home=$BATS_FILE_TMPDIR/home
	wrong none 4 'no backup at nowhere.tar .* ucp/recover-without-backup' run ucp/restore-from-backup --input file=nowhere.tar --yes
	head -c 3000 "$home/ucp.tar" >"$home/short.tar"
	head -c 3000 "$home/dtr.tar" >"$home/cut.tar"
	wrong cut 4 'cannot be read to its end' run ucp/restore-from-backup --input file=short.tar --yes
	wrong other 4 'not seen to be a backup of UCP' run ucp/restore-from-backup --input file=dtr.tar --yes
	wrong dtr 4 'no backup of DTR' run dtr/restore-from-backup --input file=ucp.tar --yes
	printf '\205\001\014\003secret' >"$home/ucp.tar.gpg"
	wrong encrypted 4 'gpg --decrypt' run ucp/restore-from-backup --input file=ucp.tar.gpg --yes
	wrong version 4 'its own version' run dtr/restore-from-backup --input file=dtr.tar --input image=docker/dtr:2.7.6 --input though_repairable=true --yes
}

@test "images of another version, or that a node lacks, are not used" {
	wrong lacks 4 'does not have the image mirantis/ucp:3.2.5' run ucp/backup --input file=x.tar --input image=mirantis/ucp:3.2.5 --yes
	wrong version 4 'is another version' run ucp/backup --input file=x.tar --input image=docker/ucp:3.1.4 --yes
	wrong dtr 4 'is another version' run dtr/backup --input file=x.tar --input image=docker/dtr:2.7.6 --yes
	[[ ! -e $BATS_FILE_TMPDIR/home/x.tar ]]
}

@test "credentials that are missing or wrong, and certificates that nobody has vouched for, are refused while nothing has begun" {
	unset WRONG
	SITE=$(site 's#file:ucp/password#env:WRONG#') wrong missing 4 'env:WRONG: it is not set' run dtr/backup --input file=x.tar --yes
	WRONG=mistyped SITE=$(site 's#file:ucp/password#env:WRONG#') wrong mistyped 4 'does not take .* Give the right password' run dtr/backup --input file=x.tar --yes
	SITE=$(site 's/username: admin/username: nobody/') wrong user 4 'does not take' run dtr/backup --input file=x.tar --yes
	SITE=$(site '/^ucp:/s#, ca: ucp/ca.pem##') wrong untrusted 4 'certificate|trust|ca' run dtr/backup --input file=x.tar --yes
	SITE=$(site '/^ucp:/s#ca: ucp/ca.pem#ca: tls/ca.pem#') wrong stranger 4 'certificate|trust|ca' run dtr/backup --input file=x.tar --yes
}

@test "inputs that make no sense are told before anything is probed" {
	wrong type 3 'many' run dtr/repair-replicas --input replicas=many --yes
	wrong unknown 3 'replica' run dtr/repair-replicas --input replica=3 --yes
	wrong node 3 'node77' run dtr/repair-replicas --input replicas=1 --input join_on=node77 --yes
	wrong even 4 'odd number' run dtr/repair-replicas --input replicas=2 --input join_on=node2 --yes
	wrong runbook 3 'dtr/repair-replicas' run dtr/repair-replica --yes
}

# In each form in which a secret may slip out.
forms_of() {
	local s=$1 i
	printf '%s\n' "$s"
	for i in 0 1 2; do
		printf '%*s%s' "$i" '' "$s" | base64 -w0 | cut -c "$((i ? i + 2 : 1))-$(((${#s} + i) * 4 / 3 - 3))"
	done
	jq -rn --arg s "$s" '$s | @uri, @json, @sh'
	printf '%q\n' "$s"
}

@test "the password is on no command line, in no container, journal, plan or report, in no form" {
	local secret form seen=$BATS_FILE_TMPDIR/seen
	secret=$(<"$QUORATE_LAB/ucp/password")
	"$lab" fault node4 backup slow=4
	quorate_start slow run dtr/backup --input file=again.tar --yes -v
	until quorate_ended slow; do
		cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' '\n' | grep -vF "$BATS_TEST_DESCRIPTION" >>"$seen.ps" || true
		docker_on node4 ps -aq | xargs -r timeout 20 "$lab" docker node4 inspect --format '{{.Path}} {{.Args}} {{.Config.Cmd}} {{.Config.Entrypoint}}' >>"$seen.argv" 2>/dev/null || true
	done
	exits slow 0
	"$lab" fault node4 backup
	grep -q backup "$seen.argv"
	quorate_as shown show last -o json
	quorate_as plan plan dtr/backup --input file=z.tar --out saved.plan -o json
	exits plan 0
	while IFS= read -r form; do
		[[ ${#form} -ge 6 ]] || continue
		if grep -rlF -- "$form" "$BATS_FILE_TMPDIR" "$QUORATE_LAB"/journal.db*; then echo "as: $form"; return 1; fi
	done < <(forms_of "$secret")
	# and it would have been found
	printf 'x%sx' "$(jq -rn --arg s "$secret" '$s | @uri')" >"$seen.control"
	forms_of "$secret" | while IFS= read -r form; do ! grep -qF -- "$form" "$seen.control" || echo found; done | grep -q found
	rm "$seen.control"
}

@test "the replica is gone: what could lose more is refused, and without somebody's word nothing is done" {
	"$lab" kill node4
	wrong repair 4 'No replica .* Use dtr/restore-from-backup' run dtr/repair-replicas --input replicas=1 --input join_on=node3 --yes
	wrong emergency 4 'Use dtr/restore-from-backup' run dtr/emergency-repair --input replicas=1 --yes
	wrong backup 4 'No replica' run dtr/backup --input file=x.tar --yes
	wrong cut 4 'cut off|read to its end' run dtr/restore-from-backup --input file=cut.tar --input node=node3 --input replicas=1 --yes
}

@test "the quorum is lost: nothing above the swarm is touched, and a plan from before is stale" {
	quorate_as plan plan ucp/backup --input file=x.tar --out old.plan
	exits plan 0
	"$lab" kill node2 node3
	until_ 60 no_quorum node1
	wrong stale 6 'quorum' run old.plan --yes
	wrong ucp 4 'swarm/recover-quorum' run ucp/backup --input file=x.tar --yes
	wrong swarm 4 'Use swarm/recover-quorum' run swarm/backup --input file=x.tar.gz --yes
	wrong all 4 'Use docker-enterprise/recover' run docker-enterprise/backup --input folder=. --yes
	wrong rebalance 4 'Use swarm/recover-quorum' run swarm/rebalance --yes
	wrong restore 4 'Use swarm/recover-quorum first' run ucp/restore-from-backup --input file=ucp.tar --yes
	wrong unattested 5 'attest node2,node3' run swarm/recover-quorum --yes
	wrong even 4 'odd number' run swarm/recover-quorum --input managers=2 --attest node2,node3 --yes
}
