#define _GNU_SOURCE 1 /* nftw */

#include "etcd_kit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { max = 3, ready_s = 60 };

struct etcd_kit {
    char dir[64], cluster[400], url[200];
    char client[max][40], peer[max][40], member_url[max][60];
    pid_t pids[max];
    size_t n;
};

const char *etcd_kit_why_not(void) {
    if (access("/usr/bin/etcd", X_OK) != 0)
        return "there is no /usr/bin/etcd (Debian's etcd-server)";
    return NULL;
}

static int address_of(int fd, struct sockaddr_in *at) {
    socklen_t len = sizeof *at;
    return getsockname(fd, (struct sockaddr *)at, &len);
}

/* Two free ports for each member; all are open at once, so that they differ. */
static void pick_ports(struct etcd_kit *k) {
    int fds[2 * max];
    for (size_t i = 0; i < 2 * k->n; i++) {
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(fds[i], (struct sockaddr *)&at, sizeof at), 0);
        assert_int_equal(address_of(fds[i], &at), 0);
        snprintf(i % 2 ? k->peer[i / 2] : k->client[i / 2], sizeof k->peer[0], "127.0.0.1:%d", ntohs(at.sin_port));
    }
    for (size_t i = 0; i < 2 * k->n; i++)
        close(fds[i]);
}

static void launch(struct etcd_kit *k, size_t i) {
    char name[8], data[100], log[100], client[60], peer[60];
    snprintf(name, sizeof name, "m%zu", i);
    snprintf(data, sizeof data, "%s/%s", k->dir, name);
    snprintf(log, sizeof log, "%s/%s.log", k->dir, name);
    snprintf(client, sizeof client, "http://%s", k->client[i]);
    snprintf(peer, sizeof peer, "http://%s", k->peer[i]);
    k->pids[i] = fork();
    assert_true(k->pids[i] >= 0);
    if (k->pids[i])
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(fd, 1);
    dup2(fd, 2);
    execl("/usr/bin/etcd", "etcd", "--name", name, "--data-dir", data, "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
          "--initial-advertise-peer-urls", peer, "--initial-cluster", k->cluster, "--heartbeat-interval", "50", "--election-timeout", "500", "--logger", "zap",
          (char *)NULL);
    _exit(127);
}

/* GET /health of one that has a leader. */
static bool healthy(const struct etcd_kit *k, size_t i) {
    static const char request[] = "GET /health HTTP/1.0\r\n\r\n";
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)strtol(strrchr(k->client[i], ':') + 1, NULL, 10))};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char text[2048] = "";
    size_t n = 0;
    if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0 && write(fd, request, sizeof request - 1) > 0)
        for (ssize_t got; n < sizeof text - 1 && (got = read(fd, text + n, sizeof text - 1 - n)) > 0;)
            n += (size_t)got;
    close(fd);
    text[n] = 0;
    return strstr(text, "\"true\"") != NULL;
}

static void wait_healthy(const struct etcd_kit *k, size_t i) {
    const time_t until = time(NULL) + ready_s;
    while (!healthy(k, i)) {
        if (time(NULL) > until)
            fail_msg("the member %zu of an etcd in %s is not healthy after %d s", i, k->dir, ready_s);
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
}

struct etcd_kit *etcd_kit_start(size_t members) {
    struct etcd_kit *k = calloc(1, sizeof *k);
    k->n = members;
    strcpy(k->dir, "/tmp/quorate-etcd-XXXXXX");
    assert_non_null(mkdtemp(k->dir));
    pick_ports(k);
    strcpy(k->url, "etcd://");
    for (size_t i = 0; i < members; i++) {
        const size_t at = strlen(k->cluster), end = strlen(k->url);
        snprintf(k->cluster + at, sizeof k->cluster - at, "%sm%zu=http://%s", i ? "," : "", i, k->peer[i]);
        snprintf(k->url + end, sizeof k->url - end, "%s%s", i ? "," : "", k->client[i]);
        snprintf(k->member_url[i], sizeof k->member_url[i], "etcd://%s", k->client[i]);
    }
    etcd_kit_all(k);
    return k;
}

void etcd_kit_kill(struct etcd_kit *k, size_t i) {
    if (!k->pids[i])
        return;
    kill(k->pids[i], SIGKILL);
    waitpid(k->pids[i], NULL, 0);
    k->pids[i] = 0;
}

void etcd_kit_freeze(struct etcd_kit *k, size_t i, bool frozen) {
    assert_true(k->pids[i] > 0);
    kill(k->pids[i], frozen ? SIGSTOP : SIGCONT);
}

void etcd_kit_all(struct etcd_kit *k) {
    for (size_t i = 0; i < k->n; i++)
        if (k->pids[i])
            kill(k->pids[i], SIGCONT); /* a test that failed may have left it frozen */
        else
            launch(k, i);
    for (size_t i = 0; i < k->n; i++)
        wait_healthy(k, i);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

void etcd_kit_stop(struct etcd_kit *k) {
    for (size_t i = 0; i < k->n; i++)
        etcd_kit_kill(k, i);
    nftw(k->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(k);
}

const char *etcd_kit_url(const struct etcd_kit *k) {
    return k->url;
}

const char *etcd_kit_member_url(const struct etcd_kit *k, size_t i) {
    return k->member_url[i];
}

const char *etcd_kit_member(const struct etcd_kit *k, size_t i) {
    return k->client[i];
}
