#!/usr/bin/env bats
# shellcheck disable=SC2154,SC2016
# What is rehearsed on a captured world is what happens: the same steps in the same order, and the same end as predicted.

bats_require_minimum_version 1.5.0
load scenario

setup_file() {
	lab_claim 15 "$QUORATE"
	[[ -z $WHY_NOT ]] || return 0
	lab_up 4 --workers 1
	"$lab" service web 4
	docker_on node1 node update --label-add zone=b node2
	"$lab" kill node2 node3
	until_ 60 no_quorum node1
}
teardown_file() { lab_close; }
setup() { lab_need; }
teardown() { lab_evidence; }

home() { echo "$BATS_FILE_TMPDIR/home/$1"; }

# The steps of a run's events in the order in which they were begun.
order() { said "$1" | jq -r 'select(.type == "step.started") | .path'; }

# The end that a plan predicts, without what is only there for people to read.
end_of_plan() {
	said "$1" | jq -S 'select(.type == "plan") | .after.swarm | {
		quorum: .quorum | del(.why), leader: (.leader != null), split,
		managers: [.managers[] | {name, in_raft, answers, members: (.members | length)}] | sort,
		nodes: [.nodes[] | {name, role, in_raft, state, availability, labels, ghost}] | sort,
		services: .services | map_values({desired, running})}'
}

# What the plan on the swarm has said of the end, sorted in one line.
predicted() { jq -r "select(.type == \"plan\") | .after.swarm | $1" "$(home live.json)" | sort | xargs; }

@test "the world is captured, and the plan on it predicts the same end as the plan on the swarm" {
	rest_depends
	quorate_as capture capture
	exits capture 0
	said capture >"$(home world.yaml)"
	quorate_as live plan swarm/recover-quorum "${quick[@]}" --attest node2,node3 -o json
	exits live 0
	said live >"$(home live.json)"
	quorate_as captured plan swarm/recover-quorum "${quick[@]}" --attest node2,node3 -o json --world world.yaml
	exits captured 0
	[[ -n $(end_of_plan live) ]]
	same "$(end_of_plan live)" end_of_plan captured
}

@test "rehearsed and real runs begin the same steps in the same order" {
	rest_depends
	quorate_as rehearsed rehearse swarm/recover-quorum "${quick[@]}" --yes --attest node2,node3 -o json --world world.yaml
	exits rehearsed 0
	quorate_start run run swarm/recover-quorum "${quick[@]}" --yes --attest node2,node3 -o json
	once run 120 forced node1
	replace node2 node3
	quorate_end run
	exits run 0
	[[ $(order run | wc -l) -gt 10 ]]
	same "$(order rehearsed)" order run
}

@test "the swarm is as the plan has predicted" {
	one_leader
	same "$(predicted '.managers[] | select(.in_raft) | .name')" eval 'reachable_managers | xargs'
	same "$(predicted '.nodes[] | select(.state == "ready") | .name')" \
		eval 'docker_on node1 node ls --format "{{.Hostname}} {{.Status}}" | awk "\$2 == \"Ready\" { print \$1 }" | sort | xargs'
	same "map[zone:b]" docker_on node1 node inspect node2 --format '{{.Spec.Labels}}'
	tasks_run web 4
}
