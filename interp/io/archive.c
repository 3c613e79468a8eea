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

enum { max_names = 1000, max_member = 1 << 20, block = 64 << 10, tar_block = 512, tar_end = 2 * tar_block };

/* ---- libarchive, loaded when it is first used ---- */

#define ARCHIVE_FUNCTIONS(X)                                                                                                           \
    X(archive_read_new) X(archive_read_support_filter_gzip) X(archive_read_support_format_tar) X(archive_read_support_format_zip)     \
    X(archive_read_support_format_raw) X(archive_read_open_filename) X(archive_read_next_header) X(archive_read_data)                  \
    X(archive_entry_pathname) X(archive_error_string) X(archive_filter_bytes) X(archive_read_free)

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
    uint64_t end; /* of the last file in the unpacked tar; the blocks that end the archive follow */
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
        if (!r->members[i].seen && !strcmp(plain(name), plain(r->members[i].name)))
            return &r->members[i];
    return NULL;
}

/* Every byte of it: a checksum is judged only at the end. */
static bool read_entry(struct reading *r, struct archive_member *m) {
    char *text = m ? arena_alloc(r->arena, max_member + 1) : NULL;
    if (m)
        m->seen = true;
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
        const uint64_t at = (uint64_t)r->l->archive_filter_bytes(r->archive, 0);
        r->end = (at + tar_block - 1) / tar_block * tar_block;
    }
    return code == ARCHIVE_EOF || fail(r);
}

static uint32_t crc32_add(uint32_t crc, const char *p, size_t n) {
    static const uint32_t nibbles[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
                                         0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    crc = ~crc;
    for (size_t i = 0; i < n; i++) {
        crc ^= (unsigned char)p[i];
        crc = nibbles[crc & 15] ^ (crc >> 4);
        crc = nibbles[crc & 15] ^ (crc >> 4);
    }
    return ~crc;
}

static uint32_t little(const unsigned char *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Reads up to max bytes from the end of the file into data; how many they are. */
static size_t read_last(const struct reading *r, size_t max) {
    const size_t want = r->report->bytes < max ? (size_t)r->report->bytes : max;
    const int fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    const ssize_t n = fd < 0 ? -1 : pread(fd, r->data, want, (off_t)(r->report->bytes - want));
    if (fd >= 0)
        close(fd);
    return n < 0 ? 0 : (size_t)n;
}

/* libarchive neither compares the checksum and the size that end a gzip file, nor minds what follows them. */
static bool gzip_ends_well(struct reading *r, uint32_t crc, uint64_t size) {
    const unsigned char *p = (const unsigned char *)r->data;
    if (read_last(r, 8) == 8 && little(p) == crc && little(p + 4) == (uint32_t)size)
        return true;
    r->report->why = arena_printf(r->arena, "%s is damaged: its checksum is not that of what is in it, or something follows its end", r->path);
    return false;
}

/* libarchive also reads a zip whose directory is missing, file after file. */
static bool zip_ends_well(struct reading *r) {
    static const size_t fixed = 22; /* bytes of the directory's end, before a comment */
    const size_t n = read_last(r, block);
    const unsigned char *p = (const unsigned char *)r->data;
    for (size_t i = 0; i + fixed <= n; i++)
        if (!memcmp(p + i, "PK\5\6", 4) && i + fixed + p[i + 20] + ((size_t)p[i + 21] << 8) == n)
            return true;
    r->report->why = arena_printf(r->arena, "%s is cut off: the archive's directory is missing at its end", r->path);
    return false;
}

/* A tar ends with two blocks of zeros behind the last file; libarchive does without them, as it does when a pipe broke between two files. */
static bool tar_ends_well(struct reading *r) {
    struct archive_entry *e;
    uint64_t size = 0, used = 0; /* used: end of the last byte that is not zero */
    uint32_t crc = 0;
    if (r->l->archive_read_next_header(r->archive, &e) != ARCHIVE_OK)
        return fail(r);
    for (la_ssize_t n; (n = r->l->archive_read_data(r->archive, r->data, block)) != 0; size += (uint64_t)n) {
        if (n < 0)
            return fail(r);
        size_t last = (size_t)n;
        while (last && !r->data[last - 1])
            last--;
        used = last ? size + last : used;
        crc = crc32_add(crc, r->data, (size_t)n);
    }
    if (size < r->end + tar_end)
        r->report->why = arena_printf(r->arena, "%s is cut off: the end of the archive is missing", r->path);
    else if (used > r->end)
        r->report->why = arena_printf(r->arena, "%s is damaged: something follows the end of the archive", r->path);
    else
        return strcmp(r->report->format, "tar.gz") || gzip_ends_well(r, crc, size);
    return false;
}

static bool pass(struct reading *r, bool raw) {
    const bool ok = begin(r, raw) && (raw ? tar_ends_well(r) : read_entries(r));
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
    ret->whole = pass(&r, false) && (strcmp(ret->format, "zip") ? pass(&r, true) : zip_ends_well(&r));
}
