#include "io/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { max_names = 1000, max_member = 1 << 20, block = 64 << 10, tail = 1024 };

/* ---- libarchive, loaded when it is first used ---- */

#define ARCHIVE_FUNCTIONS(X)                                                                                                           \
    X(archive_read_new) X(archive_read_support_filter_gzip) X(archive_read_support_format_tar) X(archive_read_support_format_zip)     \
    X(archive_read_support_format_raw) X(archive_read_open_filename) X(archive_read_next_header) X(archive_read_data)                  \
    X(archive_entry_pathname) X(archive_error_string) X(archive_read_free)

struct library {
    void *handle;
#define X(name) __typeof__(&name) name;
    ARCHIVE_FUNCTIONS(X)
#undef X
};

static bool load(struct library *l) {
    l->handle = dlopen("libarchive.so.13", RTLD_NOW | RTLD_LOCAL);
    if (!l->handle)
        return false;
#define X(name)                                                                                                                        \
    *(void **)&l->name = dlsym(l->handle, #name);                                                                                      \
    if (!l->name)                                                                                                                      \
        return false;
    ARCHIVE_FUNCTIONS(X)
#undef X
    return true;
}

/* ---- what it is, by its first bytes ---- */

/* Packets that a message encrypted for a key or with a passphrase begins with, in the old and the new form of their headers. */
static bool is_openpgp(const unsigned char *p, size_t n) {
    static const char armour[] = "-----BEGIN PGP MESSAGE-----";
    if (n >= sizeof armour - 1 && !memcmp(p, armour, sizeof armour - 1))
        return true;
    return n > 2 && (p[0] == 0xc1 || p[0] == 0xc3 || (p[0] & 0xfc) == 0x84 || (p[0] & 0xfc) == 0x8c);
}

static const char *format_of(const unsigned char *p, size_t n) {
    if (is_openpgp(p, n))
        return "openpgp";
    if (n >= 2 && p[0] == 0x1f && p[1] == 0x8b)
        return "tar.gz";
    if (n >= 4 && !memcmp(p, "PK\3\4", 4))
        return "zip";
    return n >= 263 && !memcmp(p + 257, "ustar", 5) ? "tar" : "unknown";
}

static bool look(struct arena *a, const char *path, struct archive_report *r) {
    unsigned char head[512];
    struct stat st;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st)) {
        r->why = arena_printf(a, "%s cannot be read: %s", path, strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        r->why = arena_printf(a, "%s is %s", path, S_ISDIR(st.st_mode) ? "a folder" : "no regular file");
    } else {
        const ssize_t n = read(fd, head, sizeof head);
        r->bytes = (uint64_t)st.st_size;
        if (n <= 0)
            r->why = n ? arena_printf(a, "%s cannot be read: %s", path, strerror(errno)) : arena_printf(a, "%s is empty", path);
        else
            r->format = format_of(head, (size_t)n);
    }
    if (fd >= 0)
        close(fd);
    return !r->why;
}

/* ---- reading ---- */

struct reading {
    const struct library *l;
    struct arena *arena;
    const char *path;
    struct archive *archive;
    struct archive_report *report;
    struct archive_member *members;
    size_t nmembers;
    char *data; /* block bytes */
};

static bool fail(struct reading *r) {
    const char *said = r->l->archive_error_string(r->archive);
    r->report->why = arena_printf(r->arena, "%s is damaged or cut off: %s", r->path, said ? said : "it cannot be read to its end");
    return false;
}

static bool begin(struct reading *r, bool raw) {
    r->archive = r->l->archive_read_new();
    r->l->archive_read_support_filter_gzip(r->archive);
    if (raw) {
        r->l->archive_read_support_format_raw(r->archive);
    } else {
        r->l->archive_read_support_format_tar(r->archive);
        r->l->archive_read_support_format_zip(r->archive);
    }
    return r->l->archive_read_open_filename(r->archive, r->path, block) == ARCHIVE_OK || fail(r);
}

static const char *plain(const char *name) {
    while (name[0] == '.' && name[1] == '/')
        name += 2;
    return name;
}

static struct archive_member *wanted(const struct reading *r, const char *name) {
    for (size_t i = 0; i < r->nmembers; i++)
        if (!r->members[i].text && !strcmp(plain(name), plain(r->members[i].name)))
            return &r->members[i];
    return NULL;
}

/* Every byte of it: a checksum is judged only at the end. */
static bool read_entry(struct reading *r, struct archive_member *m) {
    char *text = m ? arena_alloc(r->arena, max_member + 1) : NULL;
    size_t len = 0;
    for (;;) {
        const la_ssize_t n = r->l->archive_read_data(r->archive, r->data, block);
        if (n < 0)
            return fail(r);
        if (!n)
            break;
        if (m && len + (size_t)n <= max_member)
            memcpy(text + len, r->data, (size_t)n);
        len += (size_t)n;
    }
    if (m && len <= max_member) {
        text[len] = 0;
        m->text = text;
        m->len = len;
    }
    return true;
}

static bool read_entries(struct reading *r) {
    struct archive_report *p = r->report;
    struct archive_entry *e;
    int code;
    p->names = arena_array(r->arena, const char *, max_names);
    while ((code = r->l->archive_read_next_header(r->archive, &e)) == ARCHIVE_OK || code == ARCHIVE_WARN) {
        const char *name = r->l->archive_entry_pathname(e);
        if (!name)
            name = "?";
        p->entries++;
        if (p->nnames < max_names)
            p->names[p->nnames++] = arena_strndup(r->arena, name, strnlen(name, 4096));
        if (!read_entry(r, wanted(r, name)))
            return false;
    }
    return code == ARCHIVE_EOF || fail(r);
}

/* A tar ends with two blocks of zeros; libarchive does without them, as it does when somebody's pipe broke between two files. */
static bool read_tail(struct reading *r) {
    struct archive_entry *e;
    char end[tail];
    size_t zeros = 0;
    if (r->l->archive_read_next_header(r->archive, &e) != ARCHIVE_OK)
        return fail(r);
    for (la_ssize_t n; (n = r->l->archive_read_data(r->archive, r->data, block)) != 0;) {
        if (n < 0)
            return fail(r);
        size_t last = (size_t)n;
        while (last && !r->data[last - 1])
            last--;
        zeros = last ? (size_t)n - last : zeros + (size_t)n;
    }
    if (zeros >= sizeof end)
        return true;
    r->report->why = arena_printf(r->arena, "%s is cut off: the end of the archive is missing", r->path);
    return false;
}

static bool pass(struct reading *r, bool raw) {
    const bool ok = begin(r, raw) && (raw ? read_tail(r) : read_entries(r));
    r->l->archive_read_free(r->archive);
    return ok;
}

void archive_read(struct arena *a, const char *path, struct archive_member *members, size_t n, struct archive_report *ret) {
    struct library l;
    *ret = (struct archive_report){.format = "unknown"};
    if (!look(a, path, ret))
        return;
    if (!strcmp(ret->format, "openpgp")) {
        ret->whole = true;
        return;
    }
    if (!strcmp(ret->format, "unknown")) {
        ret->why = arena_printf(a, "%s is neither a tar nor a zip archive, nor an encrypted one", path);
        return;
    }
    if (!load(&l)) {
        ret->why = "libarchive cannot be loaded: install libarchive13";
        return;
    }
    struct reading r = {.l = &l, .arena = a, .path = path, .report = ret, .members = members, .nmembers = n, .data = arena_alloc(a, block)};
    ret->whole = pass(&r, false) && (!strcmp(ret->format, "zip") || pass(&r, true));
}
