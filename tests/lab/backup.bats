#!/usr/bin/env bats
# shellcheck disable=SC2154
# A backup of one of three managers, what is declared in a file, then the loss of everything: both bring the swarm back.

bats_require_minimum_version 1.5.0
load scenario

setup_file() {
	lab_claim 20 "$QUORATE"
	[[ -z $WHY_NOT ]] || return 0
	lab_up 3
	"$lab" service web 3
	docker_on node1 network create -d overlay back
	docker_on node1 config create conf "$lab"
	docker_on node1 secret create pw - <<<very-secret
	docker_on node1 service create -d --quiet --no-resolve-image --name api --network back --secret pw --config conf lab/sleep
	until_ 60 tasks_run api 1
}
teardown_file() { lab_close; }
setup() {
	lab_need
	home=$BATS_FILE_TMPDIR/home
	engine=(--input "stop_engine=$lab,stop,{node}" --input "start_engine=$lab,start,{node}")
}
teardown() { lab_evidence; }

@test "the folder of a manager that does not lead is packed, and it is a reachable manager again" {
	rest_depends
	quorate_as backup run swarm/backup --yes --input file=swarm.tgz --input node=node3 "${engine[@]}"
	exits backup 0
	same "node1 node2 node3" eval 'reachable_managers | xargs'
	tar -tzf "$home/swarm.tgz" | grep -qx swarm/docker-state.json
	same "-rw------- -rw-------" eval "stat -c %A '$home'/swarm.tgz '$home'/swarm.tgz.json | xargs"
}

@test "without a second manager to lead, nothing is stopped" {
	"$lab" stop node2
	until_ 30 eval '[[ $(reachable_managers | xargs) = "node1 node3" ]]'
	quorate_as refused run swarm/backup --yes --input file=other.tgz --input node=node3 "${engine[@]}"
	exits refused 4
	"$lab" start node2
	until_ 60 eval '[[ $(reachable_managers | xargs) = "node1 node2 node3" ]]'
}

@test "what is declared is written to a file, and no secret" {
	rest_depends
	quorate_as export run swarm/export-objects --yes --input file=objects.json
	exits export 0
	grep -q '"pw"' "$home/objects.json"
	! grep -rq very-secret "$home"
}

@test "after the loss of all three, the backup makes one swarm of three managers again, with what it had" {
	rest_depends
	"$lab" kill node1 node2 node3
	"$lab" wipe node1 node2 node3
	"$lab" start node3
	quorate_start restore run swarm/restore --yes --attest node1,node2 --input file=swarm.tgz "${engine[@]}"
	once restore 180 forced node3
	"$lab" start node1 node2
	quorate_end restore
	exits restore 0
	one_leader
	same "node1 node2 node3" eval 'reachable_managers | xargs'
	same "" ghosts
	same "api web" eval "docker_on node3 service ls --format '{{.Name}}' | sort | xargs"
	tasks_run web 3
}

@test "on another swarm what the file has is made in order, once somebody gives the secret" {
	docker_on node3 service rm api web
	until_ 60 docker_on node3 network rm back
	docker_on node3 config rm conf
	docker_on node3 secret rm pw
	quorate_as without run swarm/recreate-objects --yes --input file=objects.json --input secrets="$home"
	exits without 1
	says without 'secrets cannot be recovered.*: pw'
	mkdir -p "$home/secrets"
	echo very-secret >"$home/secrets/pw"
	quorate_as with run swarm/recreate-objects --yes --input file=objects.json --input secrets="$home/secrets"
	exits with 0
	tasks_run web 3
	tasks_run api 1
	quorate_as again run swarm/export-objects --yes --input file=again.json
	cmp "$home/objects.json" "$home/again.json"
}
