#!/usr/bin/env bats
# shellcheck disable=SC2154,SC2016
# The lock on the engines: two operators, each with a site of their own whose ways to the engines can be cut one by one (a socket that is no
# longer there), over the same real engines. What an engine has been asked for is read in its log.

bats_require_minimum_version 1.5.0
load scenario

setup_file() {
	lab_claim 21 "$QUORATE"
	[[ -z $WHY_NOT ]] || return 0
	lab_up 3 --no-swarm
	export W=$BATS_FILE_TMPDIR
	mkdir -p "$W/lib/lab" "$W/hooks"
	# an action that asks engines for changes for a while: each volume is one
	cat >"$W/hooks/touch.lua" <<-'LUA'
		return action {
		  summary = "Make a volume and remove it, again and again",
		  inputs = { nodes = { type = "list", required = true }, name = { type = "string", required = true }, rounds = { type = "integer", required = true } },
		  run = function(ctx, with)
		    for _ = 1, with.rounds do
		      for _, node in ipairs(with.nodes) do
		        local engine = ctx.docker(node)
		        if engine:get("/_ping", { timeout = 2 }).ok then
		          local made = engine:post("/volumes/create", { Name = with.name })
		          if made.ok then engine:delete("/volumes/" .. with.name) end
		        end
		      end
		      ctx.sleep(0.2)
		    end
		    return {}
		  end,
		}
	LUA
	cat >"$W/lib/lab/touch.yaml" <<-'YAML'
		runbook: lab/touch
		version: 1.0.0
		title: Touch the engines
		hooks: [ { file: touch.lua, allow: [docker.read, docker.write] } ]
		inputs:
		  name: { type: string, required: true }
		  rounds: { type: integer, default: 5 }
		steps:
		  - { id: touch, uses: hooks.touch, with: { nodes: [node1, node2, node3], name: "${{ inputs.name }}", rounds: "${{ inputs.rounds }}" } }
	YAML
	for who in alice bob; do
		mkdir -p "$W/$who"
		{
			echo "site: lab"
			echo "library: [$W/lib, $W/hooks]"
			echo "hooks: { touch.lua: [docker.read, docker.write] }"
			echo "store: \"sqlite:$W/$who/journal.db\""
			echo "nodes:"
			for i in 1 2 3; do echo "  node$i: { engine: \"unix://$W/$who/node$i\" }"; done
		} >"$W/$who/site.yaml"
	done
}
teardown_file() { lab_close; }
setup() {
	lab_need
	for who in alice bob; do reach "$who" node1 node2 node3; done
}
teardown() {
	end_processes
	lab_evidence
}

# reach WHO NODE...: the engines that this operator reaches from now on.
reach() {
	local who=$1
	shift
	rm -f "$W/$who"/node?
	for node; do ln -s "$QUORATE_LAB/$node/docker.sock" "$W/$who/$node"; done
}
# as WHO NAME COMMAND...
as() { SITE=$W/$1/site.yaml quorate_as "${@:2}"; }
start_as() { SITE=$W/$1/site.yaml quorate_start "${@:2}"; }
# Who holds the lock on the engines, as the docker client tells it: "RUN RUN -".
holder_on() {
	local run
	run=$(docker_on "$1" volume inspect quorate-lock --format '{{index .Labels "quorate.run"}}' 2>/dev/null) && echo "$run" || echo -
}
holders() { for node in node1 node2 node3; do holder_on "$node"; done | xargs; }
holder_everywhere() { [[ $(holders | xargs -n1 | sort -u) != - && $(holders | xargs -n1 | sort -u | wc -l) = 1 ]]; }
volumes_made() { "$lab" changes | grep -c 'POST .*/volumes/create' || true; }

@test "a run has the lock on all engines while it goes, and gives it back" {
	rest_depends
	"$lab" mark
	start_as alice one run lab/touch --input name=a --input rounds=20
	until_ 20 holder_everywhere
	as bob two run lab/touch --input name=b --yes
	exits two 8
	says two "run $(holders | cut -d' ' -f1) of .* on $(hostname) \(process [0-9]+\), since .*; on node1, node2, node3"
	says two 'quorate show .*quorate unlock'
	quorate_end one
	exits one 0
	same "- - -" holders
	[[ $("$lab" changes | grep -c 'DELETE .*/volumes/b') = 0 ]]
	as bob three run lab/touch --input name=b
	exits three 0
}

@test "plans and runs that are refused ask no engine for anything" {
	"$lab" mark
	as alice plan plan lab/touch --input name=a
	exits plan 0
	same "" "$lab" changes
}

# By whom the changes on the engines were, as each engine saw them one after the other, must not take turns.
turns() {
	for node in node1 node2 node3; do
		"$lab" changes "$node" | grep -oE 'DELETE .*/volumes/[ab]$' | uniq | sort | uniq -d
	done
}
# some NODE...: any of them, by chance
some() { for node; do ((RANDOM % 4)) && echo "$node"; done || true; }

@test "two that begin together, also where each reaches other engines: never both at a time, and nothing stays behind" {
	local seed=${QUORATE_SEED:-$RANDOM} wins=0 i
	echo "QUORATE_SEED=$seed"
	RANDOM=$seed
	for i in $(seq "${QUORATE_TRIALS:-12}"); do
		"$lab" mark
		reach alice node1 node2 node3
		reach bob node1 node2 node3
		if ((i % 2)); then
			# shellcheck disable=SC2046
			reach alice $(some node1 node2 node3)
			# shellcheck disable=SC2046
			reach bob $(some node1 node2 node3)
		fi
		start_as alice one run lab/touch --input name=a --input rounds=2
		((RANDOM % 3)) || sleep "0.0$((RANDOM % 10))"
		start_as bob two run lab/touch --input name=b --input rounds=2
		quorate_end one
		quorate_end two
		echo "trial $i: $(status_of one) $(status_of two)"
		[[ $(status_of one) = [058] && $(status_of two) = [058] ]]
		((wins += ($(status_of one) == 0) + ($(status_of two) == 0))) || true
		same "- - -" holders
		same "" turns
	done
	echo "$wins of $i trials had a winner" | tee "$W/wins"
	((wins > 0))
}

@test "a partition between two operators: at most one proceeds without the word that covers it" {
	reach alice node1
	reach bob node2 node3
	"$lab" mark
	start_as bob two run lab/touch --input name=b --input rounds=25
	until_ 20 grep -q 'held on 2 of 3' "$W/two.out"
	as alice one run lab/touch --input name=a
	exits one 5
	says one 'another operator cannot be excluded'
	says one 'silent: node2'
	same "" grep -E '^node1' <("$lab" changes | grep -v quorate-lock | grep -v volumes/create)
	same "-" holder_on node1
	# with the word she goes on, and the journal has it
	as alice three run lab/touch --input name=a --input rounds=2 --yes
	exits three 0
	as alice four show last -o json
	says four '"what":"minority".*"how":"--yes"'
	quorate_end two
	exits two 0
	same "- - -" holders
}

@test "two minorities with the word: when the cut heals, whoever sees the other stops" {
	reach alice node1
	reach bob node2
	start_as alice one run lab/touch --input name=a --input rounds=100 --yes
	start_as bob two run lab/touch --input name=b --input rounds=100 --yes
	until_ 20 grep -q 'held on 1 of 3' "$W/one.out"
	until_ 20 grep -q 'held on 1 of 3' "$W/two.out"
	reach alice node1 node2 node3
	quorate_end one
	says one 'the lock is lost: node2 has that of run'
	[[ $(status_of one) = [78] ]]
	quorate_end two
}

@test "an operator who is killed leaves the lock; it is shown, and removed only for its ID" {
	# after a run whose outcome is unknown the lock stays too
	as alice zero unlock
	local run
	for run in $(holders | xargs -n1 | sort -u | grep -v '^-$'); do as alice clean unlock "$run" --yes; done
	same "- - -" holders
	start_as alice one run lab/touch --input name=a --input rounds=200
	until_ 20 grep -q ' start ' "$W/one.out"
	kill -9 "$(pgrep -P "$(cat "$W/one.pid")" -f 'run lab/touch')"
	quorate_end one
	run=$(holders | cut -d' ' -f1)
	same "$run $run $run" holders
	as bob two run lab/touch --input name=b --yes
	exits two 8
	says two "its process [0-9]+ is gone from this machine"
	as bob three unlock
	exits three 8
	says three "run $run of .*on node1, node2, node3"
	as bob four unlock 20200101-000000-0000 --yes
	exits four 3
	as bob five unlock "$run"
	exits five 5
	same "$run $run $run" holders
	reach bob node1 node2
	as bob six unlock "$run" --yes
	exits six 0
	says six '^node1: removed'
	says six '^node3: silent'
	same "- - $run" holders
	reach bob node3
	as bob seven unlock "$run" --yes
	exits seven 0
	same "- - -" holders
}

@test "a run whose lock is broken asks for nothing more, and stops" {
	"$lab" mark
	start_as alice one run lab/touch --input name=a --input rounds=200
	until_ 20 holder_everywhere
	as bob two unlock "$(holders | cut -d' ' -f1)" --yes
	exits two 8 # it goes on, and on this machine that can be seen
	for node in node1 node2; do docker_on "$node" volume rm quorate-lock >/dev/null; done
	quorate_end one
	[[ $(status_of one) = [78] ]]
	says one 'the lock is lost: it is gone from node'
	says one 'was not asked for'
	docker_on node3 volume rm -f quorate-lock >/dev/null
	local made
	made=$(volumes_made)
	sleep 1
	same "$made" volumes_made
}
