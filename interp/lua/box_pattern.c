#define _GNU_SOURCE /* memmem */
#include "lua/box_priv.h"

#include <ctype.h>
#include <string.h>

/* Lua's patterns, with every step of the matcher charged to the instructions of the call: in Lua's own library they are uncounted C, and a
 * pattern such as ".-.-.-x" keeps it busy for years. */

enum { max_captures = 32, max_recursion = 200, open_capture = -1, position_capture = -2 };

struct matcher {
    lua_State *L;
    struct box *box;
    const char *text, *text_end, *pat_end;
    int depth, ncaptures;
    struct {
        const char *at;
        ptrdiff_t len;
    } captures[max_captures];
};

static void charge(struct matcher *m) {
    if (--m->box->left > 0)
        return;
    m->box->over = true;
    luaL_error(m->L, "too many instructions");
}

/* --- one item: a byte, a class or a set --- */

static const char *item_end(struct matcher *m, const char *p) {
    if (*p == '%') {
        if (p + 1 >= m->pat_end)
            luaL_error(m->L, "malformed pattern (ends with '%%')");
        return p + 2;
    }
    if (*p++ != '[')
        return p;
    if (p < m->pat_end && *p == '^')
        p++;
    for (bool first = true; first || p >= m->pat_end || *p != ']'; first = false) { /* a ] right after the [ stands for itself */
        if (p >= m->pat_end)
            luaL_error(m->L, "malformed pattern (missing ']')");
        p += *p == '%' && p + 1 < m->pat_end ? 2 : 1;
    }
    return p + 1;
}

static bool in_class(unsigned char c, char class) {
    bool is;
    switch (tolower((unsigned char)class)) {
    case 'a': is = isalpha(c); break;
    case 'c': is = iscntrl(c); break;
    case 'd': is = isdigit(c); break;
    case 'g': is = isgraph(c); break;
    case 'l': is = islower(c); break;
    case 'p': is = ispunct(c); break;
    case 's': is = isspace(c); break;
    case 'u': is = isupper(c); break;
    case 'w': is = isalnum(c); break;
    case 'x': is = isxdigit(c); break;
    default: return (unsigned char)class == c;
    }
    return isupper((unsigned char)class) ? !is : is;
}

/* p is behind the '[', end at the ']'. */
static bool in_set(unsigned char c, const char *p, const char *end) {
    bool negated = *p == '^';
    for (p += negated; p < end; p++) {
        if (*p == '%') {
            if (in_class(c, *++p))
                return !negated;
        } else if (p + 2 < end && p[1] == '-') {
            if ((unsigned char)p[0] <= c && c <= (unsigned char)p[2])
                return !negated;
            p += 2;
        } else if ((unsigned char)*p == c)
            return !negated;
    }
    return negated;
}

static bool fits(const struct matcher *m, const char *s, const char *p, const char *end) {
    if (s >= m->text_end)
        return false;
    unsigned char c = (unsigned char)*s;
    switch (*p) {
    case '.': return true;
    case '%': return in_class(c, p[1]);
    case '[': return in_set(c, p + 1, end - 1);
    default: return (unsigned char)*p == c;
    }
}

/* --- the rest of a pattern --- */

static const char *match(struct matcher *m, const char *s, const char *p);

static const char *balanced(struct matcher *m, const char *s, const char *p) {
    if (p + 2 > m->pat_end)
        luaL_error(m->L, "malformed pattern (missing arguments to '%%b')");
    if (s >= m->text_end || *s != p[0])
        return NULL;
    int open = 1;
    for (const char *q = s + 1; q < m->text_end; q++) {
        charge(m);
        if (*q == p[1]) {
            if (--open == 0)
                return q + 1;
        } else if (*q == p[0])
            open++;
    }
    return NULL;
}

static const char *greedy(struct matcher *m, const char *s, const char *p, const char *end, ptrdiff_t least) {
    ptrdiff_t n = 0;
    for (; fits(m, s + n, p, end); n++)
        charge(m);
    for (; n >= least; n--) {
        const char *r = match(m, s + n, end + 1);
        if (r)
            return r;
    }
    return NULL;
}

static const char *sparing(struct matcher *m, const char *s, const char *p, const char *end) {
    for (;; s++) {
        const char *r = match(m, s, end + 1);
        if (r)
            return r;
        charge(m);
        if (!fits(m, s, p, end))
            return NULL;
    }
}

static const char *start_capture(struct matcher *m, const char *s, const char *p, ptrdiff_t kind) {
    if (m->ncaptures >= max_captures)
        luaL_error(m->L, "too many captures");
    m->captures[m->ncaptures].at = s;
    m->captures[m->ncaptures++].len = kind;
    const char *r = match(m, s, p);
    if (!r)
        m->ncaptures--;
    return r;
}

static const char *end_capture(struct matcher *m, const char *s, const char *p) {
    int i = m->ncaptures - 1;
    while (i >= 0 && m->captures[i].len != open_capture)
        i--;
    if (i < 0)
        luaL_error(m->L, "invalid pattern capture");
    m->captures[i].len = s - m->captures[i].at;
    const char *r = match(m, s, p);
    if (!r)
        m->captures[i].len = open_capture;
    return r;
}

static const char *back_reference(struct matcher *m, const char *s, char digit) {
    int i = digit - '1';
    if (i < 0 || i >= m->ncaptures || m->captures[i].len < 0)
        luaL_error(m->L, "invalid capture index %%%c in pattern", digit);
    size_t len = (size_t)m->captures[i].len;
    return (size_t)(m->text_end - s) >= len && !memcmp(m->captures[i].at, s, len) ? s + len : NULL;
}

static bool at_frontier(const struct matcher *m, const char *s, const char *p, const char *end) {
    unsigned char before = s == m->text ? 0 : (unsigned char)s[-1], here = s < m->text_end ? (unsigned char)*s : 0;
    return !in_set(before, p + 1, end - 1) && in_set(here, p + 1, end - 1);
}

static const char *match(struct matcher *m, const char *s, const char *p) {
    if (++m->depth > max_recursion)
        luaL_error(m->L, "pattern too complex");
    const char *r = NULL;
    for (;;) {
        charge(m);
        if (p == m->pat_end) {
            r = s;
            break;
        }
        if (*p == '(') {
            bool position = p + 1 < m->pat_end && p[1] == ')';
            r = start_capture(m, s, position ? p + 2 : p + 1, position ? position_capture : open_capture);
            break;
        }
        if (*p == ')') {
            r = end_capture(m, s, p + 1);
            break;
        }
        if (*p == '$' && p + 1 == m->pat_end) {
            r = s == m->text_end ? s : NULL;
            break;
        }
        if (*p == '%' && p + 1 < m->pat_end && (p[1] == 'b' || p[1] == 'f' || isdigit((unsigned char)p[1]))) {
            if (p[1] == 'f') {
                p += 2;
                if (p >= m->pat_end || *p != '[')
                    luaL_error(m->L, "missing '[' after '%%f' in pattern");
                const char *end = item_end(m, p);
                if (!at_frontier(m, s, p, end))
                    break;
                p = end;
                continue;
            }
            s = p[1] == 'b' ? balanced(m, s, p + 2) : back_reference(m, s, p[1]);
            p += p[1] == 'b' ? 4 : 2;
            if (!s)
                break;
            continue;
        }
        const char *end = item_end(m, p);
        char times = end < m->pat_end ? *end : '\0';
        if (times == '*' || times == '+') {
            r = greedy(m, s, p, end, times == '+');
            break;
        }
        if (times == '-') {
            r = sparing(m, s, p, end);
            break;
        }
        bool one = fits(m, s, p, end);
        if (times == '?') {
            if (one && (r = match(m, s + 1, end + 1)))
                break;
            p = end + 1;
            continue;
        }
        if (!one)
            break;
        s++;
        p = end;
    }
    m->depth--;
    return r;
}

static const char *attempt(struct matcher *m, const char *s, const char *p) {
    m->depth = m->ncaptures = 0;
    return match(m, s, p);
}

/* --- captures as Lua values --- */

static void push_capture(struct matcher *m, int i, const char *s, const char *e) {
    if (i >= m->ncaptures) {
        if (i > 0)
            luaL_error(m->L, "invalid capture index %%%d", i + 1);
        lua_pushlstring(m->L, s, (size_t)(e - s));
    } else if (m->captures[i].len == position_capture)
        lua_pushinteger(m->L, m->captures[i].at - m->text + 1);
    else if (m->captures[i].len == open_capture)
        luaL_error(m->L, "unfinished capture");
    else
        lua_pushlstring(m->L, m->captures[i].at, (size_t)m->captures[i].len);
}

/* All of them; the whole match if there is none and s is given. */
static int push_captures(struct matcher *m, const char *s, const char *e) {
    int n = m->ncaptures == 0 && s ? 1 : m->ncaptures;
    luaL_checkstack(m->L, n + 2, "too many captures");
    for (int i = 0; i < n; i++)
        push_capture(m, i, s, e);
    return n;
}

static void prepare(lua_State *L, struct matcher *m, int text, const char **pat) {
    size_t nt, np;
    opaque_raise(L, text);
    m->L = L;
    m->box = box_of(L);
    m->text = luaL_checklstring(L, text, &nt);
    *pat = luaL_checklstring(L, text + 1, &np);
    m->text_end = m->text + nt;
    m->pat_end = *pat + np;
}

/* Where to start: 1 is the first byte, negative ones count from the end. */
static const char *start(const struct matcher *m, lua_Integer init) {
    ptrdiff_t len = m->text_end - m->text;
    if (init < 0)
        init = init < -len ? 1 : len + init + 1;
    else if (init == 0)
        init = 1;
    return init > len + 1 ? NULL : m->text + (init - 1);
}

/* --- find, match, gmatch, gsub --- */

static int look(lua_State *L, bool find) {
    struct matcher m;
    const char *p;
    prepare(L, &m, 1, &p);
    const char *s = start(&m, luaL_optinteger(L, 3, 1));
    if (s && find && lua_toboolean(L, 4)) {
        const char *at = memmem(s, (size_t)(m.text_end - s), p, (size_t)(m.pat_end - p));
        if (at) {
            lua_pushinteger(L, at - m.text + 1);
            lua_pushinteger(L, at - m.text + (m.pat_end - p));
            return 2;
        }
        s = NULL;
    }
    bool anchored = p < m.pat_end && *p == '^';
    for (p += anchored; s && s <= m.text_end; s++) {
        const char *e = attempt(&m, s, p);
        if (e && find) {
            lua_pushinteger(L, s - m.text + 1);
            lua_pushinteger(L, e - m.text);
            return 2 + push_captures(&m, NULL, NULL);
        }
        if (e)
            return push_captures(&m, s, e);
        if (anchored)
            break;
    }
    lua_pushnil(L);
    return 1;
}

static int f_find(lua_State *L) {
    return look(L, true);
}

static int f_match(lua_State *L) {
    return look(L, false);
}

/* upvalues: text, pattern, offset to go on at, offset where the last match ended or -1 */
static int gmatch_step(lua_State *L) {
    struct matcher m;
    const char *p;
    lua_settop(L, 0);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, lua_upvalueindex(2));
    prepare(L, &m, 1, &p);
    lua_Integer from = lua_tointeger(L, lua_upvalueindex(3)), last = lua_tointeger(L, lua_upvalueindex(4));
    for (const char *s = m.text + from; s <= m.text_end; s++) {
        const char *e = attempt(&m, s, p);
        if (!e || e - m.text == last)
            continue;
        lua_pushinteger(L, e - m.text);
        lua_pushvalue(L, -1);
        lua_replace(L, lua_upvalueindex(3));
        lua_replace(L, lua_upvalueindex(4));
        return push_captures(&m, s, e);
    }
    return 0;
}

static int f_gmatch(lua_State *L) {
    struct matcher m;
    const char *p;
    prepare(L, &m, 1, &p);
    const char *s = start(&m, luaL_optinteger(L, 3, 1));
    lua_settop(L, 2);
    lua_pushinteger(L, s ? s - m.text : m.text_end - m.text + 1);
    lua_pushinteger(L, -1);
    lua_pushcclosure(L, gmatch_step, 4);
    return 1;
}

static void add_template(struct matcher *m, luaL_Buffer *b, const char *s, const char *e) {
    size_t len;
    const char *r = lua_tolstring(m->L, 3, &len);
    for (size_t i = 0; i < len; i++) {
        if (r[i] != '%') {
            luaL_addchar(b, r[i]);
            continue;
        }
        char c = ++i < len ? r[i] : '\0';
        if (c == '%')
            luaL_addchar(b, '%');
        else if (c == '0')
            luaL_addlstring(b, s, (size_t)(e - s));
        else if (isdigit((unsigned char)c)) {
            push_capture(m, c - '1', s, e);
            luaL_tolstring(m->L, -1, NULL);
            lua_remove(m->L, -2);
            luaL_addvalue(b);
        } else
            luaL_error(m->L, "invalid use of '%%' in replacement string");
    }
}

static void add_replacement(struct matcher *m, luaL_Buffer *b, const char *s, const char *e) {
    lua_State *L = m->L;
    if (lua_isstring(L, 3)) {
        add_template(m, b, s, e);
        return;
    }
    if (lua_isfunction(L, 3)) {
        lua_pushvalue(L, 3);
        lua_call(L, push_captures(m, s, e), 1);
    } else {
        push_capture(m, 0, s, e);
        lua_gettable(L, 3);
    }
    opaque_raise(L, -1);
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        luaL_addlstring(b, s, (size_t)(e - s));
    } else if (lua_isstring(L, -1))
        luaL_addvalue(b);
    else
        luaL_error(L, "invalid replacement value (a %s)", view_type(L, -1));
}

static int f_gsub(lua_State *L) {
    struct matcher m;
    const char *p;
    prepare(L, &m, 1, &p);
    if (!lua_isstring(L, 3) && !lua_isfunction(L, 3) && strcmp(view_type(L, 3), "table") != 0)
        return luaL_typeerror(L, 3, "string, function or table");
    lua_Integer most = luaL_optinteger(L, 4, m.text_end - m.text + 1), n = 0;
    bool anchored = p < m.pat_end && *p == '^';
    p += anchored;
    lua_settop(L, 4);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    const char *s = m.text, *last = NULL;
    while (n < most) {
        const char *e = attempt(&m, s, p);
        if (e && e != last) {
            n++;
            add_replacement(&m, &b, s, e);
            s = last = e;
        } else if (s < m.text_end)
            luaL_addchar(&b, *s++);
        else
            break;
        if (anchored)
            break;
    }
    luaL_addlstring(&b, s, (size_t)(m.text_end - s));
    luaL_pushresult(&b);
    lua_pushinteger(L, n);
    return 2;
}

void box_open_patterns(lua_State *L) {
    static const luaL_Reg fns[] = {{"find", f_find}, {"match", f_match}, {"gmatch", f_gmatch}, {"gsub", f_gsub}, {0}};
    luaL_setfuncs(L, fns, 0);
}
