# source.awk: reads tests/lint/layers, then C files, and says what breaks a rule of the house: layers, include cycles, libraries, banned calls,
# sizes. With -v only=NAME just that rule. One line each: FILE:LINE: what.

BEGIN {
    # Calls that cannot be used safely, or that there is a better way for.
    split("strcpy strcat strncpy strncat sprintf vsprintf strtok gets system popen alloca setjmp longjmp atoi atol atof", list, " ")
    for (i in list) banned[list[i]] = "is banned"
    # Standard output belongs to ui/out.c, which lets no secret through.
    split("printf vprintf puts putchar fprintf vfprintf fputs fwrite fputc putc dprintf", list, " ")
    for (i in list) speaks[list[i]] = 1
}

function tell(rule, line, text) {
    if (only == "" || only == rule) {
        printf "%s:%d: %s\n", FILENAME, line, text
        bad = 1
    }
}

FILENAME ~ /lint\/layers$/ {
    if ($1 == "layer") {
        known[$2] = 1
        may[$2, $2] = 1
        for (i = 3; i <= NF; i++) may[$2, $i] = 1
    } else if ($1 == "library") {
        pattern[++nlibs] = $2
        places[nlibs] = ""
        for (i = 3; i <= NF; i++) places[nlibs] = places[nlibs] " " $i
    }
    next
}

FNR == 1 {
    finish()
    file = FILENAME
    module = file
    sub(/^interp\//, "", module)
    ours = module != file
    folder = module
    sub(/\/.*/, "", folder)
    in_comment = 0
    if (ours && !(folder in known))
        tell("layers", 1, "interp/" folder " is not in tests/lint/layers")
}

{ lines = FNR }

/^[ \t]*#[ \t]*include/ { include($0); next }
/^[ \t]*#[ \t]*define[ \t]+NDEBUG/ { tell("banned", FNR, "assertions stay on") }

{
    code = strip($0)
    if (!ours || code !~ /\(/)
        next
    while (match(code, /[A-Za-z_][A-Za-z_0-9]*[ \t]*\(/)) {
        name = substr(code, RSTART, RLENGTH - 1)
        sub(/[ \t]+$/, "", name)
        before = RSTART > 1 ? substr(code, RSTART - 1, 1) : ""
        rest = substr(code, RSTART + RLENGTH)
        if (before != "." && before != ">") {
            if (name in banned)
                tell("banned", FNR, name "() " banned[name])
            if (name in speaks && module != "ui/out.c")
                tell("banned", FNR, name "() outside ui/out.c: " (folder == "ui" || folder == "cmd" ? "use out_printf and its like" : "return an error instead"))
            if (folder != "ui" && folder != "cmd") {
                if (name ~ /^_?exit$/ && rest !~ /^127\)/)
                    tell("banned", FNR, name "() outside ui/ and cmd/")
            }
        }
        code = rest
    }
}

# The line without comments and with empty strings, so that what is only said is not taken for what is done.
function strip(s,    out, c, two, i, n) {
    if (!in_comment && s !~ /["'\/]/)
        return s
    n = length(s)
    for (i = 1; i <= n; i++) {
        c = substr(s, i, 1)
        two = substr(s, i, 2)
        if (in_comment) {
            if (two == "*/") { in_comment = 0; i++ }
        } else if (two == "/*") { in_comment = 1; i++ }
        else if (two == "//") break
        else if (c == "\"" || c == "'") {
            out = out c
            for (i++; i <= n && substr(s, i, 1) != c; i++)
                if (substr(s, i, 1) == "\\") i++
            out = out c
        } else out = out c
    }
    return out
}

function include(s,    name, outside, to, i, k, n, where, ok) {
    outside = s ~ /</
    name = s
    sub(/^[^<"]*[<"]/, "", name)
    sub(/[>"].*/, "", name)
    for (i = 1; i <= nlibs; i++) {
        if (!(name ~ pattern[i]) || !ours)
            continue
        ok = 0
        n = split(places[i], where, " ")
        for (k = 1; k <= n; k++) {
            if (where[k] ~ /^one-file-of:/) {
                sub(/^one-file-of:/, "", where[k])
                if (index(module, where[k]) == 1 && (!((i, k) in holder) || holder[i, k] == module)) {
                    holder[i, k] = module
                    ok = 1
                }
            } else if (index(module, where[k]) == 1)
                ok = 1
        }
        if (!ok)
            tell("libraries", FNR, "<" name "> belongs to" places[i])
    }
    if (outside || !ours)
        return
    if (name !~ /\//) {
        tell("layers", FNR, "\"" name "\": include with the folder")
        return
    }
    to = name
    sub(/\/.*/, "", to)
    if (!((folder, to) in may))
        tell("layers", FNR, folder "/ may not include " to "/ (\"" name "\")")
    if (module ~ /\.h$/) {
        edge[module, ++nedges[module]] = name
        headers[module] = 1
    }
}

# Walks the headers that `from` includes; `path` is the way here.
function walk(from, path,    i) {
    colour[from] = 1
    for (i = 1; i <= nedges[from]; i++) {
        if (colour[edge[from, i]] == 1) {
            if (only == "" || only == "layers") {
                print "interp/" from ": an include cycle: " path " " edge[from, i]
                bad = 1
            }
        } else if (!colour[edge[from, i]])
            walk(edge[from, i], path " " edge[from, i])
    }
    colour[from] = 2
}

function finish() {
    if (!file || (only != "" && only != "sizes"))
        return
    if (lines > 800) {
        print file ": " lines " lines, more than 800: split it"
        bad = 1
    } else if (lines > 500)
        print file ": warning: " lines " lines, more than 500 asks for a split"
}

END {
    finish()
    for (h in headers)
        if (!colour[h])
            walk(h, h)
    exit bad
}
