# kit.sh: what the sessions beside it share: a site with one hook, run once, and of what is printed the part that does not change from day to day.
# shellcheck shell=bash

site() { # GRANTED: the site grants these words to h.lua
    mkdir -p lib
    printf '%s\n' 'site: x' 'nodes: { n1: { engine: "unix:///nowhere.sock" } }' 'library: [lib]' "hooks: { h.lua: [$1] }" >site.yaml
}

book() { # ALLOW FORM: the runbook asks for these words; the step is FORM
    printf '%s\n' 'runbook: r' 'version: 1.0.0' 'title: R' "hooks: [ { file: h.lua, allow: [$1] } ]" 'steps:' "  - { id: a, $2 }" >lib/r.yaml
}

go() {
    quorate run r --yes --store sqlite:j.db --color never >out 2>&1
    local status=$?
    grep -E 'FAILED|unknown|\||error|note|= |refused|^ *:' out | sed -E 's/^[0-9:]{8}  //; s/ +\([0-9.]+m?s\)$//; s/  +/ /g'
    return $status
}

# act ALLOW GRANTED BODY: an action of the site's own, whose run is BODY.
act() {
    site "$2"
    book "$1" 'uses: hooks.h'
    printf '%s\n' 'return action {' '  summary = "h", changes = list{}, effect = function(state) end,' '  run = function(ctx, with)' "$3" '  end,' '}' >lib/h.lua
    go
}

# free BODY: one that needs no right.
free() {
    act '' '' "$1"
}

# pure BODY: a func of the site's own, called by an expression of the plan.
pure() {
    site ''
    book '' 'command: [echo, "${{ hooks.h(1) }}"]'
    printf '%s\n' 'return func(function(n)' "$1" 'end)' >lib/h.lua
    go
}

# whole TEXT: the hook's file.
whole() {
    site ''
    book '' 'command: [echo, "${{ hooks.h(1) }}"]'
    printf '%s\n' "$1" >lib/h.lua
    go
}

# yaml TEXT: a runbook that is checked.
yaml() {
    printf '%s\n' "$1" >r.yaml
    quorate check r.yaml
}
