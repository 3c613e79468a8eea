#include "lua/box_priv.h"

#include "lua/lval.h"
#include "value/json.h"

#include <string.h>

/* json, base64, and the helpers that are easiest said in Lua. */

static int f_json_decode(lua_State *L) {
    size_t len;
    const char *s = luaL_checklstring(L, 1, &len);
    struct scratch *x = scratch_push(L);
    const struct val *v = NULL;
    if (!json_parse(x->arena, "json.decode", s, len, &v, x->err))
        return luaL_error(L, "json.decode: %s", x->err->first->message);
    lval_push(L, v);
    scratch_done(x);
    return 1;
}

static int f_json_encode(lua_State *L) {
    luaL_checkany(L, 1);
    lua_settop(L, 1);
    struct scratch *x = scratch_push(L);
    const struct val *v = NULL;
    opaque_raise(L, 1);
    if (!lval_to(L, 1, x->arena, "the value", &v, x->err))
        return luaL_error(L, "json.encode: %s", x->err->first->message);
    json_print(v, JSON_COMPACT | JSON_SORTED, &x->buf);
    if (x->buf.over)
        return luaL_error(L, "json.encode: the text is too long");
    lua_pushlstring(L, x->buf.data, x->buf.len);
    scratch_done(x);
    return 1;
}

static const char digits64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int f_base64_encode(lua_State *L) {
    size_t len;
    const unsigned char *s = (const unsigned char *)luaL_checklstring(L, 1, &len);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (size_t i = 0; i < len; i += 3) {
        size_t n = len - i < 3 ? len - i : 3;
        unsigned w = (unsigned)s[i] << 16 | (n > 1 ? (unsigned)s[i + 1] << 8 : 0) | (n > 2 ? s[i + 2] : 0);
        for (size_t k = 0; k < 4; k++)
            luaL_addchar(&b, k <= n ? digits64[w >> (18 - 6 * k) & 63] : '=');
    }
    luaL_pushresult(&b);
    return 1;
}

/* Both alphabets, padding optional, white space between digits allowed. */
static int f_base64_decode(lua_State *L) {
    size_t len;
    const char *s = luaL_checklstring(L, 1, &len);
    unsigned w = 0, bits = 0;
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (size_t i = 0; i < len; i++) {
        char c = s[i] == '-' ? '+' : s[i] == '_' ? '/' : s[i];
        const char *d = c ? strchr(digits64, c) : NULL;
        if (d) {
            w = (w << 6 | (unsigned)(d - digits64)) & 0xffff;
            bits += 6;
            if (bits >= 8) {
                bits -= 8;
                luaL_addchar(&b, (char)(w >> bits & 0xff));
            }
        } else if (c != '=' && c != '\n' && c != '\r' && c != ' ')
            return luaL_error(L, "base64.decode: byte %d is not a digit of base64", (int)i + 1);
    }
    luaL_pushresult(&b);
    return 1;
}

void box_open_data(lua_State *L, int globals) {
    static const luaL_Reg json[] = {{"encode", f_json_encode}, {"decode", f_json_decode}, {0}};
    static const luaL_Reg base64[] = {{"encode", f_base64_encode}, {"decode", f_base64_decode}, {0}};
    luaL_newlib(L, json);
    lua_setfield(L, globals, "json");
    luaL_newlib(L, base64);
    lua_setfield(L, globals, "base64");
}

/* Run once with the table of globals as its environment. Lists give lists, maps give maps; everything goes in sorted order. */
const char box_prelude[] =
    "local pairs, ipairs, type, size, is_list, list, error = pairs, ipairs, type, size, is_list, list, error\n"
    "local sort = table.sort\n"
    "local function test(fn, v, k)\n"
    "  if fn == nil then return v end\n"
    "  if type(fn) == 'string' then return v[fn] end\n"
    "  return fn(v, k)\n"
    "end\n"
    "function count(t, fn)\n"
    "  if t == nil then error('count: expected a list or a map, got nil', 2) end\n"
    "  if fn == nil then return size(t) end\n"
    "  local n = 0\n"
    "  for k, v in pairs(t) do if test(fn, v, k) then n = n + 1 end end\n"
    "  return n\n"
    "end\n"
    "function take(t, n)\n"
    "  local r = list{}\n"
    "  for i, v in ipairs(t) do if i > n then break end r[i] = v end\n"
    "  return r\n"
    "end\n"
    "local rank = { number = 1, string = 2, boolean = 3 }\n"
    "local function less(a, b)\n"
    "  local ta, tb = rank[type(a)], rank[type(b)]\n"
    "  if not ta or not tb then error('sorted: only numbers, strings and booleans have an order', 0) end\n"
    "  if ta ~= tb then return ta < tb end\n"
    "  if ta == 3 then return not a and b end\n"
    "  return a < b\n"
    "end\n"
    "function sorted(t, by)\n"
    "  local items = {}\n"
    "  for _, v in pairs(t) do\n"
    "    local k = v\n"
    "    if by ~= nil then k = test(by, v) end\n"
    "    items[#items + 1] = { k, #items, v }\n"
    "  end\n"
    "  sort(items, function(a, b)\n"
    "    if a[1] ~= b[1] then return less(a[1], b[1]) end\n"
    "    return a[2] < b[2]\n"
    "  end)\n"
    "  local r = list{}\n"
    "  for i, x in ipairs(items) do r[i] = x[3] end\n"
    "  return r\n"
    "end\n"
    "function any(t, fn)\n"
    "  for k, v in pairs(t) do if test(fn, v, k) then return true end end\n"
    "  return false\n"
    "end\n"
    "function all(t, fn)\n"
    "  for k, v in pairs(t) do if not test(fn, v, k) then return false end end\n"
    "  return true\n"
    "end\n"
    "function values(t)\n"
    "  local r = list{}\n"
    "  for _, v in pairs(t) do r[#r + 1] = v end\n"
    "  return r\n"
    "end\n"
    "function map(t, fn)\n"
    "  local r = is_list(t) and list{} or {}\n"
    "  for k, v in pairs(t) do\n"
    "    local x = test(fn, v, k)\n"
    "    if x == nil and is_list(r) then error('map: the function gave nil for item ' .. tostring(k), 2) end\n"
    "    r[k] = x\n"
    "  end\n"
    "  return r\n"
    "end\n"
    "function filter(t, fn)\n"
    "  local ordered = is_list(t)\n"
    "  local r = ordered and list{} or {}\n"
    "  for k, v in pairs(t) do\n"
    "    if test(fn, v, k) then if ordered then r[#r + 1] = v else r[k] = v end end\n"
    "  end\n"
    "  return r\n"
    "end\n"
    "function find(t, fn)\n"
    "  for k, v in pairs(t) do if test(fn, v, k) then return v, k end end\n"
    "  return nil\n"
    "end\n"
    "function contains(t, x)\n"
    "  for _, v in pairs(t) do if v == x then return true end end\n"
    "  return false\n"
    "end\n"
    "local function number(name, n)\n"
    "  if type(n) == 'table' then return size(n) end\n"
    "  if type(n) ~= 'number' then error(name .. ': expected a number, got ' .. type(n), 3) end\n"
    "  return n\n"
    "end\n"
    "function quorum(n) return number('quorum', n) // 2 + 1 end\n"
    "function odd_at_most(n)\n"
    "  n = number('odd_at_most', n)\n"
    "  if n < 1 then return 0 end\n"
    "  return n % 2 == 1 and n or n - 1\n"
    "end\n";
