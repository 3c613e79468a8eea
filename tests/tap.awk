# tap.awk: adds up TAP files named SUITE/PROGRAM.tap. With -v brief=1 one line for each suite, else a table with all that failed and
# was skipped. Fails if a test failed or if there was none.

FNR == 1 {
    n = split(FILENAME, path, "/")
    suite = path[n - 1]
    program = path[n]
    sub(/\.tap$/, "", program)
    program = program ~ /^[0-9]+$/ ? "" : program ": " # a number: cases, which are named as they are
    if (!(suite in known)) {
        known[suite] = 1
        order[nsuites++] = suite
    }
}

# cmocka marks a skipped test "not ok N # SKIP name", bats "ok N name # skip reason", and a whole file may be "1..0 # SKIP reason".
tolower($0) ~ /^1\.\.0 +# *skip/ { skip(program, "all", reason($0)); next }
tolower($0) ~ /^(not )?ok .*# *skip/ { skip(program, title($0), reason($0)); next }
/^ok( |$)/ { ran[suite]++; passed[suite]++; next }
/^not ok( |$)/ { ran[suite]++; failed[suite]++; failures[nfailures++] = suite "  " program title($0); next }

function skip(who, what, why) {
    skipped[suite]++
    skips[nskips++] = suite "  " who (what == "" || what == "all" ? "" : what ": ") why
}
function title(line) {
    sub(/^(not )?ok *[0-9]* *(- )?/, "", line)
    sub(/ *# *(SKIP|skip).*/, "", line)
    return line
}
function reason(line) {
    sub(/.*# *(SKIP|skip) */, "", line)
    return line
}
function row(name, a, b, c, d) { printf "%-24s %6d %7d %7d %8d\n", name, a, b, c, d }

END {
    for (i = 0; i < nsuites; i++) {
        s = order[i]
        if (brief)
            printf "%s: %d ran, %d passed, %d failed, %d skipped\n", s, ran[s], passed[s], failed[s], skipped[s]
        r += ran[s]; p += passed[s]; f += failed[s]; k += skipped[s]
    }
    if (!brief) {
        printf "%-24s %6s %7s %7s %8s\n", "suite", "ran", "passed", "failed", "skipped"
        for (i = 0; i < nsuites; i++)
            row(order[i], ran[order[i]], passed[order[i]], failed[order[i]], skipped[order[i]])
        row("total", r, p, f, k)
        if (nskips) print "\nSkipped:"
        for (i = 0; i < nskips; i++) print "  " skips[i]
        if (nfailures) print "\nFailed:"
        for (i = 0; i < nfailures; i++) print "  " failures[i]
        printf "\n%s: %d ran, %d passed, %d failed, %d skipped.\n", f || !r ? "FAILED" : "All is well", r, p, f, k
    }
    exit f || (!r && !k)
}
