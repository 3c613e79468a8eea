/* http_file.h: files as bodies of HTTP: one that is sent, and one that takes an answer. Read and written in pieces, so that memory is the same for any size. */
#ifndef IO_HTTP_FILE_H
#define IO_HTTP_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_file {
    int fd;         /* -1: there is none */
    uint64_t size;  /* of a file that is sent, when it was opened: as many bytes are promised, and no more are sent */
    uint64_t bytes; /* gone through so far */
    char error[512]; /* "PATH: why", or "" */
    char path[256]; /* its end, for messages */
};

enum { HTTP_FILE_ABORT = 0x10000000 }; /* what libcurl takes for an end of the transfer: CURL_READFUNC_ABORT */

void http_file_init(struct http_file *f);
/* false: error says why. Only a plain file can be sent. */
bool http_file_send(struct http_file *f, const char *path);
/* Makes the file anew, with mode 0600. false: error says why. */
bool http_file_take(struct http_file *f, const char *path);
/* For libcurl: ud is the http_file. */
size_t http_file_read(char *data, size_t size, size_t n, void *ud);
size_t http_file_write(struct http_file *f, const char *data, size_t len); /* len, or 0: it failed */
bool http_file_sync(struct http_file *f);
void http_file_close(struct http_file *f);

#endif
