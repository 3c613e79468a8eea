#!/usr/bin/env bats
# Journals in a real etcd of three members, and the program as a whole.
# shellcheck disable=SC2030,SC2031 # each test has a state folder of its own

load cluster

setup_file() {
	reason=$(etcd_why_not) && skip "$reason"
	etcd_new plain
	etcd_start plain 0 1 2
	etcd_ready plain
}

teardown_file() { etcd_kill plain 0 1 2; }

setup() {
	etcd_whole plain
	cd "$BATS_TEST_TMPDIR" || return
	export XDG_STATE_HOME=$BATS_TEST_TMPDIR/state
	store=etcd://$(etcd_hosts plain)/t$BATS_TEST_NUMBER
	# `wait` goes on when there is a file `go`; each step leaves a line in `trace`
	cat >book.yaml <<-'Y'
		runbook: book
		version: 1.0.0
		title: Three steps
		steps:
		  - { id: one, command: [sh, -c, "echo one >> trace"] }
		  - { id: two, command: [sh, -c, "echo begun >> trace; until [ -e go ]; do sleep 0.05; done; echo two >> trace"] }
		  - { id: three, command: [sh, -c, "echo three >> trace"] }
	Y
}

q() { timeout --kill-after=5 120 "$QUORATE" "$@"; }
begun() { grep -q begun trace; }

# In the background, its output in out.txt, its status in status.
run_book() {
	(
		status=0
		q run book.yaml --yes --store "$store" >out.txt 2>err.txt || status=$?
		echo "$status" >status
	) 3>&- 4>&- &
	runner=$!
	until_ok 30 begun
}

@test "a run is read by others, exported from etcd, and imported into a file and back" {
	touch go
	q run book.yaml --yes --store "$store"
	XDG_STATE_HOME=$BATS_TEST_TMPDIR/elsewhere q show last --store "$store" | grep 'every step ended well'
	q export last --store "$store" >run.jsonl
	q import run.jsonl --store sqlite:file.db
	q export last --store sqlite:file.db | cmp - run.jsonl
	q import run.jsonl --store "$store" | grep 'already, with the same'
	q import run.jsonl --store "$store-b"
	q export last --store "$store-b" | cmp - run.jsonl
}

@test "one of three killed in mid-run is one line" {
	run_book
	etcd_kill plain 0
	touch go
	wait $runner
	cat out.txt err.txt
	[ "$(cat status)" = 0 ]
	[ "$(grep -c 'is passed over' err.txt)" = 1 ]
	[ "$(wc -l <err.txt)" = 1 ]
	[ "$(tr '\n' ' ' <trace)" = "one begun two three " ]
	q runs --store "$store" | grep ' ok '
}

# two_of_three STATE: in mid-run; taken up by one with that state folder when they are back.
two_of_three() {
	run_book
	etcd_kill plain 0 1
	touch go
	wait $runner
	cat out.txt err.txt
	[ "$(cat status)" = 9 ]
	grep 'no majority of it answers' err.txt
	[ "$(tr '\n' ' ' <trace)" = "one begun two " ]
	etcd_whole plain
	grep 'what happened from there on is kept in ' err.txt
	q show last --store "$store" | grep 'start.*two'
	export XDG_STATE_HOME=$1
	# What had no answer may have arrived or not, so whether the step in between ended, or the one behind it began, may be asked. None is just done again.
	status=0 skipped=()
	q resume last --yes --store "$store" >again.txt 2>&1 || status=$?
	cp again.txt resumed.txt
	while [ "$status" = 7 ] && ((${#skipped[@]} < 2)); do
		cat again.txt
		skipped+=("$(sed -nE 's/.*--skip ([a-z]+) --because.*/\1/p' again.txt | tail -n 1)")
		status=0
		q resume last --skip "${skipped[-1]}" --because "seen in the file" --yes --store "$store" >again.txt 2>&1 || status=$?
	done
	cat again.txt
	[ "$status" = 0 ]
	[[ "$(tr '\n' ' ' <trace)" =~ ^"one begun two "("three ")?$ ]]
}

@test "two of three killed in mid-run: nothing new is begun, nothing is lost, and it goes on with what was kept here when they are back" {
	two_of_three "$XDG_STATE_HOME"
	[ -z "$(find "$XDG_STATE_HOME/quorate/spool" -type f)" ]
	[ -z "$(sed -n 's/.*--skip \(two\) --because.*/\1/p' "$BATS_TEST_TMPDIR"/resumed.txt)" ]
}

@test "the same, taken up from another machine, which has nothing of what was kept" {
	two_of_three "$BATS_TEST_TMPDIR/elsewhere"
}

@test "a run that goes on is held: whoever would resume it is told by whom, and exits with 8" {
	run_book
	status=0
	q resume last --yes --store "$store" >other.txt 2>&1 || status=$?
	cat other.txt
	[ "$status" = 8 ]
	grep 'is held by .*process [0-9]*, since 2' other.txt
	q show last --store "$store" | grep 'This run has no end: it is held by .*process [0-9]*, since 2'
	touch go
	wait $runner
	[ "$(cat status)" = 0 ]
	[ "$(tr '\n' ' ' <trace)" = "one begun two three " ]
}

@test "the same with a journal in a file" {
	store=sqlite:j.db
	run_book
	status=0
	q resume last --yes --store "$store" >other.txt 2>&1 || status=$?
	cat other.txt
	[ "$status" = 8 ]
	touch go
	wait $runner
	[ "$(cat status)" = 0 ]
	[ -z "$(ls j.db-held)" ]
}

@test "no etcd at all: told in time, nothing begun" {
	etcd_kill plain 0 1 2
	status=0
	q run book.yaml --yes --store "$store" >out.txt 2>&1 || status=$?
	cat out.txt
	[ "$status" = 9 ]
	grep 'no majority of it answers: .*connection refused' out.txt
	[ ! -e trace ]
}
