/* Children: what they get, what of them is kept, and that they and theirs are gone in the end. */
#include "base/arena.h"
#include "io/process.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct bench {
    struct loop *loop;
    bool over;
    struct process_result r; /* texts copied */
    char *out, *err, *error;
    struct buf lines; /* "o:LINE|" */
    struct process *cancel_at_line;
    pid_t seen; /* of a line that is a number */
    int64_t took;
};

static int setup(void **state) {
    struct bench *b = calloc(1, sizeof *b);
    b->loop = loop_new(clock_system());
    buf_init(&b->lines, 0);
    *state = b;
    return 0;
}

static void forget(struct bench *b) {
    free(b->out);
    free(b->err);
    free(b->error);
    b->out = b->err = b->error = NULL;
    b->over = false;
}

static int teardown(void **state) {
    struct bench *b = *state;
    forget(b);
    buf_done(&b->lines);
    if (b->loop)
        loop_free(b->loop);
    free(b);
    return 0;
}

static void on_done(void *ud, const struct process_result *r) {
    struct bench *b = ud;
    assert_false(b->over);
    b->over = true;
    b->r = *r;
    b->out = mem_strdup(r->out.data);
    b->err = mem_strdup(r->err.data);
    b->error = r->error ? mem_strdup(r->error) : NULL;
}

static void on_line(void *ud, bool is_err, const char *line, size_t len) {
    struct bench *b = ud;
    buf_printf(&b->lines, "%c:%.*s|", is_err ? 'e' : 'o', (int)len, line);
    const long n = strtol(line, NULL, 10);
    if (n)
        b->seen = (pid_t)n;
    if (b->cancel_at_line)
        process_cancel(b->cancel_at_line);
}

static void wait_for(struct bench *b) {
    const int64_t from = loop_now(b->loop);
    while (!b->over)
        assert_true(loop_once(b->loop));
    b->took = loop_now(b->loop) - from;
    assert_false(loop_once(b->loop)); /* nothing is left behind */
}

static void run(struct bench *b, struct process_spec spec) {
    forget(b);
    spec.done = on_done;
    spec.ud = b;
    process_start(b->loop, &spec);
    assert_false(b->over); /* never from inside */
    wait_for(b);
}

static void sh(struct bench *b, const char *script, struct process_spec spec) {
    const char *argv[] = {"sh", "-c", script, NULL};
    spec.argv = argv;
    run(b, spec);
}

/* A process that is a zombie counts as gone: whose child it is does not matter here. */
static bool gone(pid_t pid) {
    char path[64], text[256] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    if (!f)
        return true;
    const size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = 0;
    const char *after = strrchr(text, ')');
    return !after || strchr("ZX", after[2]);
}

static void wait_until_gone(struct bench *b, pid_t pid) {
    const int64_t deadline = loop_now(b->loop) + 5000;
    assert_true(pid > 0);
    while (!gone(pid))
        assert_true(loop_now(b->loop) < deadline);
}

static int open_descriptors(void) {
    int n = 0;
    for (int fd = 0; fd < 1000; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* ---- what it gets and gives ---- */

static void streams_and_status_come_back(void **state) {
    struct bench *b = *state;
    sh(b, "echo out; echo err >&2; exit 3", (struct process_spec){0});
    assert_null(b->r.error);
    assert_int_equal(b->r.exit_status, 3);
    assert_int_equal(b->r.signal, 0);
    assert_string_equal(b->out, "out\n");
    assert_string_equal(b->err, "err\n");
}

static void a_signal_is_told_apart_from_a_status(void **state) {
    struct bench *b = *state;
    sh(b, "kill -9 $$", (struct process_spec){0});
    assert_int_equal(b->r.exit_status, -1);
    assert_int_equal(b->r.signal, SIGKILL);
    assert_false(b->r.timed_out);
}

static void a_command_that_is_not_there_is_an_error_and_no_status(void **state) {
    struct bench *b = *state;
    const char *argv[] = {"quorate-no-such-command", NULL};
    run(b, (struct process_spec){.argv = argv});
    assert_string_equal(b->error, "there is no such command in PATH");
    argv[0] = "/etc/passwd";
    run(b, (struct process_spec){.argv = argv});
    assert_string_equal(b->error, "Permission denied");
    argv[0] = "/no/such/file";
    run(b, (struct process_spec){.argv = argv});
    assert_string_equal(b->error, "No such file or directory");
    assert_int_equal(b->r.exit_status, -1);
}

static void a_folder_that_is_not_there_is_named(void **state) {
    struct bench *b = *state;
    sh(b, "pwd", (struct process_spec){.cwd = "/"});
    assert_string_equal(b->out, "/\n");
    sh(b, "pwd", (struct process_spec){.cwd = "/no/such"});
    assert_string_equal(b->error, "folder /no/such: No such file or directory");
}

static void variables_are_added_and_replaced(void **state) {
    struct bench *b = *state;
    setenv("QUORATE_TEST_A", "old", 1);
    setenv("QUORATE_TEST_AB", "kept", 1);
    const char *env[] = {"QUORATE_TEST_A=new", "QUORATE_TEST_B=", NULL};
    sh(b, "echo $QUORATE_TEST_A $QUORATE_TEST_AB ${QUORATE_TEST_B-unset}", (struct process_spec){.env = env});
    assert_string_equal(b->out, "new kept\n");
}

static void input_larger_than_a_pipe_passes_through(void **state) {
    struct bench *b = *state;
    const size_t n = 3 << 20;
    char *text = malloc(n);
    memset(text, 'x', n);
    const char *argv[] = {"cat", NULL};
    run(b, (struct process_spec){.argv = argv, .input = text, .input_len = n, .max_output = n});
    assert_int_equal(b->r.exit_status, 0);
    assert_int_equal(b->r.out.len, n);
    assert_false(b->r.out.over);
    assert_memory_equal(b->out, text, n);
    free(text);
}

static void input_that_nobody_reads_does_not_hold_it_up(void **state) {
    struct bench *b = *state;
    const size_t n = 1 << 20;
    char *text = calloc(1, n);
    sh(b, "exit 4", (struct process_spec){.input = text, .input_len = n});
    assert_int_equal(b->r.exit_status, 4);
    free(text);
}

static void without_input_stdin_is_empty(void **state) {
    struct bench *b = *state;
    sh(b, "cat; readlink /proc/self/fd/0", (struct process_spec){0});
    assert_string_equal(b->out, "/dev/null\n");
}

static void files_as_stdin_and_stdout_are_of_any_size_and_not_read_by_us(void **state) {
    struct bench *b = *state;
    char in[] = "/tmp/quorate-test-XXXXXX", out[] = "/tmp/quorate-test-XXXXXX";
    const int fd = mkstemp(in), out_fd = mkstemp(out);
    assert_int_equal(write(out_fd, "what was there before", 21), 21);
    assert_int_equal(ftruncate(fd, 9 << 20), 0);
    sh(b, "cat; echo said >&2", (struct process_spec){.in_path = in, .out_path = out});
    assert_int_equal(b->r.exit_status, 0);
    assert_string_equal(b->out, "");
    assert_string_equal(b->err, "said\n");
    assert_int_equal(lseek(out_fd, 0, SEEK_END), 9 << 20);
    sh(b, "echo x", (struct process_spec){.out_path = "/no/such/folder/file"});
    assert_string_equal(b->error, "its output /no/such/folder/file: No such file or directory");
    sh(b, "cat", (struct process_spec){.in_path = "/"});
    assert_string_equal(b->error, "its input /: Is a directory");
    sh(b, "cat", (struct process_spec){.in_path = "/dev/tty0"});
    assert_non_null(b->error);
    close(fd);
    close(out_fd);
    unlink(in);
    unlink(out);
}

static void a_child_inherits_no_descriptor_and_no_ignored_signal(void **state) {
    struct bench *b = *state;
    sh(b, "exec readlink /proc/self/fd/*", (struct process_spec){.input = "x", .input_len = 1});
    const char *at = b->out;
    int pipes = 0, ours = 0;
    while ((at = strstr(at, "pipe:["))) {
        pipes++;
        at++;
    }
    for (int fd = 3; fd < 1000; fd++) { /* what we were started with is not our doing */
        char path[32], target[32] = "";
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ours += !(fcntl(fd, F_GETFD) & FD_CLOEXEC) && readlink(path, target, sizeof target - 1) > 0 && !strncmp(target, "pipe:[", 6);
    }
    assert_int_equal(pipes, 3 + ours);
    sh(b, "grep SigIgn /proc/self/status", (struct process_spec){0});
    unsigned long long ignored = ~0ull;
    assert_int_equal(sscanf(b->out, "SigIgn: %llx", &ignored), 1);
    ignored &= ~(3ull << 31); /* 32 and 33 belong to the C library, which lets nobody set them */
    assert_true(ignored == 0);
}

static void output_beyond_the_limit_is_read_and_dropped(void **state) {
    struct bench *b = *state;
    sh(b, "head -c 1000000 /dev/zero | tr '\\0' a; echo done >&2", (struct process_spec){.max_output = 1000});
    assert_int_equal(b->r.exit_status, 0);
    assert_int_equal(b->r.out.len, 1000);
    assert_true(b->r.out.over);
    assert_false(b->r.err.over);
    assert_string_equal(b->err, "done\n");
}

static void lines_come_one_by_one_and_the_last_needs_no_end(void **state) {
    struct bench *b = *state;
    sh(b, "printf 'one\\n\\nthree'; printf 'e\\n' >&2", (struct process_spec){.line = on_line});
    assert_non_null(strstr(b->lines.data, "o:one|"));
    assert_non_null(strstr(b->lines.data, "o:|"));
    assert_non_null(strstr(b->lines.data, "o:three|"));
    assert_non_null(strstr(b->lines.data, "e:e|"));
}

/* ---- the ladder ---- */

static void a_timeout_ends_it_with_its_whole_group(void **state) {
    struct bench *b = *state;
    sh(b, "sleep 1000 & echo $!; wait", (struct process_spec){.timeout_ms = 100, .line = on_line});
    assert_true(b->r.timed_out);
    assert_false(b->r.cancelled);
    assert_int_equal(b->r.signal, SIGTERM);
    assert_true(b->took < 4000);
    wait_until_gone(b, b->seen);
}

static void whoever_ignores_term_is_killed_after_the_grace(void **state) {
    struct bench *b = *state;
    sh(b, "trap '' TERM; echo $$; while :; do sleep 0.05; done", (struct process_spec){.timeout_ms = 100, .grace_ms = 150, .line = on_line});
    assert_true(b->r.timed_out);
    assert_int_equal(b->r.signal, SIGKILL);
    assert_true(b->took >= 250);
    assert_true(gone(b->seen));
}

static void a_group_keeps_its_grace_when_its_leader_ends_at_once(void **state) {
    struct bench *b = *state;
    struct process_spec spec = {.line = on_line, .done = on_done, .ud = b};
    const char *argv[] = {"sh", "-c", "sh -c 'trap \"sleep 0.2; echo tidied; exit\" TERM; echo ready; while :; do sleep 0.02; done' & wait", NULL};
    spec.argv = argv;
    struct process *p = process_start(b->loop, &spec);
    while (!strstr(b->lines.data, "ready"))
        assert_true(loop_once(b->loop));
    process_cancel(p);
    wait_for(b);
    assert_int_equal(b->r.signal, SIGTERM);
    assert_string_equal(b->out, "ready\ntidied\n");
    assert_true(b->took < 4000);
}

static void a_stopped_child_can_be_ended(void **state) {
    struct bench *b = *state;
    sh(b, "kill -STOP $$", (struct process_spec){.timeout_ms = 100});
    assert_true(b->r.timed_out);
    assert_int_equal(b->r.signal, SIGTERM);
    assert_true(b->took < 4000);
}

static void cancelling_works_from_a_line_and_twice(void **state) {
    struct bench *b = *state;
    const char *argv[] = {"sh", "-c", "echo a; exec sleep 1000", NULL};
    struct process_spec spec = {.argv = argv, .line = on_line, .done = on_done, .ud = b};
    b->cancel_at_line = process_start(b->loop, &spec);
    const pid_t pid = process_pid(b->cancel_at_line);
    assert_true(pid > 0);
    process_cancel(b->cancel_at_line);
    wait_for(b);
    assert_true(b->r.cancelled);
    assert_int_equal(b->r.signal, SIGTERM);
    assert_true(gone(pid));
}

static void what_is_left_in_the_background_does_not_hold_it_up(void **state) {
    struct bench *b = *state;
    sh(b, "sleep 1000 & echo $!", (struct process_spec){.line = on_line});
    assert_int_equal(b->r.exit_status, 0);
    assert_false(b->r.timed_out);
    assert_true(b->took < 4000);
    assert_false(gone(b->seen)); /* it was meant to stay */
    kill(b->seen, SIGKILL);
}

static void dropping_it_ends_it_at_once_and_tells_nobody(void **state) {
    struct bench *b = *state;
    const char *argv[] = {"sh", "-c", "trap '' TERM; echo $$; while :; do sleep 0.02; done", NULL};
    struct process_spec spec = {.argv = argv, .line = on_line, .done = on_done, .ud = b};
    struct process *p = process_start(b->loop, &spec);
    while (!b->seen)
        assert_true(loop_once(b->loop));
    process_drop(p);
    assert_true(gone(b->seen));
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* reaped */
    assert_false(loop_once(b->loop));
    assert_false(b->over);
}

static void the_end_of_the_loop_is_the_end_of_its_children(void **state) {
    struct bench *b = *state;
    const char *argv[] = {"sleep", "1000", NULL}, *none[] = {"quorate-no-such-command", NULL};
    struct process_spec spec = {.argv = argv, .done = on_done, .ud = b};
    const pid_t pid = process_pid(process_start(b->loop, &spec));
    spec.argv = none;
    assert_int_equal(process_pid(process_start(b->loop, &spec)), 0);
    loop_free(b->loop);
    b->loop = NULL;
    assert_true(gone(pid));
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_false(b->over);
}

/* ---- what it costs ---- */

static void without_descriptors_it_is_an_error_that_leaves_none_open(void **state) {
    struct bench *b = *state;
    struct rlimit old;
    getrlimit(RLIMIT_NOFILE, &old);
    sh(b, "true", (struct process_spec){0});
    const int before = open_descriptors();
    for (int room = 0; room < 9; room++) {
        const struct rlimit few = {.rlim_cur = (rlim_t)(before + room), .rlim_max = old.rlim_max};
        setrlimit(RLIMIT_NOFILE, &few);
        sh(b, "true", (struct process_spec){.input = "x", .input_len = 1});
        setrlimit(RLIMIT_NOFILE, &old);
        if (b->error)
            assert_string_equal(b->error, "Too many open files");
        else
            assert_true(room > 3);
        assert_int_equal(open_descriptors(), before);
    }
}

static void a_hundred_at_once_leave_nothing_behind(void **state) {
    struct bench *b = *state;
    sh(b, "true", (struct process_spec){0});
    const int before = open_descriptors();
    struct bench each[100] = {0};
    const char *argv[] = {"true", NULL};
    for (int i = 0; i < 100; i++)
        process_start(b->loop, &(struct process_spec){.argv = argv, .done = on_done, .ud = &each[i]});
    while (loop_once(b->loop)) {
    }
    for (int i = 0; i < 100; i++) {
        assert_true(each[i].over);
        assert_null(each[i].error);
        assert_int_equal(each[i].r.exit_status, 0);
        forget(&each[i]);
    }
    assert_int_equal(open_descriptors(), before);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void standard_streams_of_ours_may_be_closed(void **state) {
    struct bench *b = *state;
    const int kept = dup(0);
    close(0);
    sh(b, "cat; echo out; echo err >&2", (struct process_spec){.input = "in ", .input_len = 3});
    dup2(kept, 0);
    close(kept);
    assert_string_equal(b->out, "in out\n");
    assert_string_equal(b->err, "err\n");
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        test(streams_and_status_come_back),
        test(a_signal_is_told_apart_from_a_status),
        test(a_command_that_is_not_there_is_an_error_and_no_status),
        test(a_folder_that_is_not_there_is_named),
        test(variables_are_added_and_replaced),
        test(input_larger_than_a_pipe_passes_through),
        test(input_that_nobody_reads_does_not_hold_it_up),
        test(without_input_stdin_is_empty),
        test(files_as_stdin_and_stdout_are_of_any_size_and_not_read_by_us),
        test(a_child_inherits_no_descriptor_and_no_ignored_signal),
        test(output_beyond_the_limit_is_read_and_dropped),
        test(lines_come_one_by_one_and_the_last_needs_no_end),
        test(a_timeout_ends_it_with_its_whole_group),
        test(whoever_ignores_term_is_killed_after_the_grace),
        test(a_group_keeps_its_grace_when_its_leader_ends_at_once),
        test(a_stopped_child_can_be_ended),
        test(cancelling_works_from_a_line_and_twice),
        test(what_is_left_in_the_background_does_not_hold_it_up),
        test(dropping_it_ends_it_at_once_and_tells_nobody),
        test(the_end_of_the_loop_is_the_end_of_its_children),
        test(without_descriptors_it_is_an_error_that_leaves_none_open),
        test(a_hundred_at_once_leave_nothing_behind),
        test(standard_streams_of_ours_may_be_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
