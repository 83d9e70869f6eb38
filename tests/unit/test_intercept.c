/* test_intercept.c - the interception of system calls, on this very process.
 *
 * pass_monkey.c passes every call on, so the tests ask whether the program notices anything. Run
 * as `test_intercept` with Syscall User Dispatch, as `test_intercept linked` without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../monkey/decode.h"
#include "pass_monkey.h"

extern char **environ;

/* intercept_sites.S */
long site_mov(void);
long site_xor(int fd, void *buf, size_t n);
extern const uint8_t site_xor_back[];
long site_two(long nr);
long site_tight(long nr);
long site_jumped(long nr, long again);
const int *site_relative(void);
void site_registers(void *out);
long site_begin(void (*fn)(const int *));
void site_switch(void *sp, void *pc) __attribute__((noreturn));
long site_many(void);
extern const int site_relative_word;
extern const uint64_t site_vectors[32];

static uint64_t traps(void)
{
    return pass_stats().traps;
}

/* ---- The decoder. ---- */

static const struct {
    const char *bytes;
    int n, len;
    unsigned flags;
} instructions[] = {
#define INSN(s, len, flags)          \
    {                                \
        s, sizeof(s) - 1, len, flags \
    }
    INSN("\x90", 1, 0),
    INSN("\xf3\x0f\x1e\xfa", 4, 0), /* endbr64 */
    INSN("\x0f\x05", 2, INSN_SYSCALL | INSN_FIXED),
    INSN("\xb8\x27\x00\x00\x00", 5, 0),                                /* mov $39, %eax */
    INSN("\x48\xb8\x01\x02\x03\x04\x05\x06\x07\x08", 10, 0),           /* movabs */
    INSN("\x66\xb8\x01\x02", 4, 0),                                    /* mov $..., %ax */
    INSN("\x48\xc7\xc0\x0f\x00\x00\x00", 7, 0),                        /* mov $15, %rax */
    INSN("\x48\x3d\x00\xf0\xff\xff", 6, 0),                            /* cmp $-4096, %rax */
    INSN("\x8b\x05\x10\x00\x00\x00", 6, INSN_RIPREL),                  /* mov 16(%rip), %eax */
    INSN("\xc7\x05\x10\x00\x00\x00\x01\x00\x00\x00", 10, INSN_RIPREL), /* movl $1, 16(%rip) */
    INSN("\x67\x8b\x05\x10\x00\x00\x00", 7, INSN_RIPREL | INSN_FIXED), /* 16(%eip) */
    INSN("\x48\x8b\x44\x24\x08", 5, 0),                                /* mov 8(%rsp), %rax */
    INSN("\x8b\x04\x25\x00\x00\x00\x00", 7, 0),                        /* mov 0, %eax */
    INSN("\x64\x48\x8b\x04\x25\x28\x00\x00\x00", 9, 0),                /* mov %fs:40, %rax */
    INSN("\xf7\xc1\x01\x00\x00\x00", 6, 0),                            /* test $1, %ecx */
    INSN("\xf7\xd9", 2, 0),                                            /* neg %ecx */
    INSN("\xf6\x06\x01", 3, 0),                                        /* testb $1, (%rsi) */
    INSN("\xc8\x10\x00\x00", 4, 0),                                    /* enter */
    INSN("\xa1\x00\x00\x00\x00\x00\x00\x00\x00", 9, 0),                /* movabs moffs, %eax */
    INSN("\xc5\xf8\x77", 3, 0),                                        /* vzeroupper */
    INSN("\xc5\xfe\x6f\x06", 4, 0),                                    /* vmovdqu */
    INSN("\xc4\xe3\x7d\x39\xc1\x01", 6, 0),                            /* vextracti128 */
    INSN("\x62\xf1\xfe\x48\x6f\x46\x01", 7, 0),                        /* vmovdqu64 */
    INSN("\x62\xf3\x7d\x48\x1f\xc1\x00", 7, 0),                        /* vpcmpd */
    INSN("\x66\x0f\x3a\x0f\xc1\x08", 6, 0),                            /* palignr */
    INSN("\x66\x0f\x38\x00\xc1", 5, 0),                                /* pshufb */
    INSN("\x0f\x84\x00\x01\x00\x00", 6, INSN_LABEL | INSN_FIXED),      /* je */
    INSN("\x74\xfe", 2, INSN_LABEL | INSN_FIXED),
    INSN("\xe8\x00\x00\x00\x00", 5, INSN_LABEL | INSN_FIXED),
    INSN("\xc3", 1, INSN_FIXED),
    INSN("\xff\xd0", 2, INSN_FIXED),                     /* call *%rax */
    INSN("\x3e\xff\xe0", 3, INSN_FIXED | INSN_INDIRECT), /* notrack jmp *%rax */
    INSN("\xff\x70\x08", 3, 0),                          /* push 8(%rax) */
    INSN("\x06", 0, 0),                                  /* not in 64-bit mode */
    INSN("\xb8\x27\x00", 0, 0),                          /* cut off */
#undef INSN
};

static void decodes_lengths_and_flow(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof instructions / sizeof *instructions; i++) {
        unsigned flags;
        const uint8_t *bytes = (const uint8_t *)instructions[i].bytes;
        int len = pass_decode(bytes, instructions[i].n, &flags);
        assert_int_equal(len, instructions[i].len);
        if (len)
            assert_int_equal(flags, instructions[i].flags);
    }
}

/* ---- What a call leaves behind. ---- */

/* As site_registers() fills it in. */
struct machine {
    uint64_t result;
    uint64_t changed[12]; /* differences of the general registers: all zero */
    uint64_t red[16];
    uint64_t unused[15];
    uint64_t sp_before, sp_after;
    uint64_t xmm[32];
};

static void check_registers(void)
{
    struct machine m;
    memset(&m, 0xff, sizeof m);
    site_registers(&m);
    assert_int_equal(m.result, getppid());
    for (int i = 0; i < 12; i++)
        assert_int_equal(m.changed[i], 0);
    for (int i = 0; i < 16; i++)
        assert_int_equal(m.red[i], 0x1001 + i);
    assert_int_equal(m.sp_before, m.sp_after);
    assert_memory_equal(m.xmm, site_vectors, sizeof m.xmm);
}

static void keeps_registers_and_red_zone(void **state)
{
    (void)state;
    uint64_t t = traps();
    long calls = pass_count(SYS_getppid);
    check_registers();
    assert_int_equal(traps(), t + 1);
    check_registers();
    assert_int_equal(traps(), t + 1);
    assert_true(pass_count(SYS_getppid) >= calls + 4);
}

static void gives_libc_its_results(void **state)
{
    (void)state;
    int fd[2];
    char buf[16] = "";
    uint64_t t = traps();
    long reads = pass_count(SYS_read), writes = pass_count(SYS_write);
    assert_int_equal(pipe(fd), 0);
    assert_int_equal(write(fd[1], "hello", 5), 5);
    assert_int_equal(read(fd[0], buf, sizeof buf), 5);
    assert_string_equal(buf, "hello");
    assert_int_equal(getpid(), syscall(SYS_getpid));
    assert_int_equal(close(fd[0]) | close(fd[1]), 0);
    assert_int_equal(pass_count(SYS_read), reads + 1);
    assert_int_equal(pass_count(SYS_write), writes + 1);
    assert_int_equal(traps(), t);
}

static void leaves_errno_alone(void **state)
{
    (void)state;
    errno = 1234;
    assert_int_equal(site_tight(SYS_getppid), getppid());
    assert_int_equal(site_mov(), getppid());
    assert_int_equal(errno, 1234);
    assert_int_equal(close(-1), -1);
    assert_int_equal(errno, EBADF);
    assert_int_equal(site_tight(9999), -ENOSYS);
}

/* ---- Forms of sites. ---- */

static void rewrites_a_read_with_its_comparison(void **state)
{
    (void)state;
    int fd[2];
    char c;
    uint8_t behind[6];
    memcpy(behind, site_xor_back, sizeof behind);
    assert_int_equal(pipe(fd), 0);
    assert_int_equal(write(fd[1], "ab", 2), 2);
    uint64_t t = traps();
    assert_int_equal(site_xor(fd[0], &c, 1), 1);
    assert_int_equal(traps(), t + 1);
    assert_int_equal(site_xor(fd[0], &c, 1), 1);
    assert_int_equal(c, 'b');
    assert_int_equal(site_xor(-1, &c, 1), -1);
    assert_int_equal(traps(), t + 1);
    /* whoever stood behind the `syscall` finds the comparison in the stub */
    assert_memory_not_equal(site_xor_back, behind, sizeof behind);
    uintptr_t moved = pass_pc((uintptr_t)site_xor_back);
    assert_memory_equal((const void *)moved, behind, sizeof behind);
    assert_int_equal(pass_pc((uintptr_t)site_mov), (uintptr_t)site_mov);
    close(fd[0]);
    close(fd[1]);
}

static void moves_what_is_relative(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        uint64_t t = traps();
        assert_ptr_equal(site_relative(), &site_relative_word);
        assert_int_equal(traps() - t, i == 0);
    }
}

static void uses_several_instructions(void **state)
{
    (void)state;
    uint64_t t = traps();
    for (int i = 0; i < 3; i++)
        assert_int_equal(site_two(SYS_getppid), getppid());
    assert_int_equal(traps(), t + 1);
}

static void goes_on_trapping_where_it_must(void **state)
{
    (void)state;
    uint64_t t = traps();
    for (int i = 0; i < 3; i++)
        assert_int_equal(site_tight(SYS_getppid), getppid());
    assert_int_equal(traps(), t + 3);
    assert_int_equal(site_jumped(SYS_getppid, 0), getppid());
    assert_int_equal(traps(), t + 4);
}

static void patches_what_is_loaded_later(void **state)
{
    (void)state;
    const char *path = getenv("INTERCEPT_PLUGIN");
    assert_non_null(path);
    void *plugin = dlopen(path, RTLD_NOW);
    assert_non_null(plugin);
    long (*call)(void) = (long (*)(void))dlsym(plugin, "plugin_getppid");
    uint64_t t = traps();
    for (int i = 0; i < 3; i++)
        assert_int_equal(call(), getppid());
    assert_int_equal(traps(), t + 1);
    assert_int_equal(dlclose(plugin), 0);
    plugin = dlopen(path, RTLD_NOW); /* perhaps at the same address, not rewritten any more */
    assert_non_null(plugin);
    call = (long (*)(void))dlsym(plugin, "plugin_getppid");
    for (int i = 0; i < 3; i++)
        assert_int_equal(call(), getppid());
    assert_int_equal(traps(), t + 2);
    dlclose(plugin);
}

/* ---- Unwinding. ---- */

static void *frames[64];
static int nframes;

static void take_backtrace(struct call *c)
{
    (void)c;
    nframes = backtrace(frames, 64);
}

/* Whether the backtrace passes through the function that begins at fn. */
static bool passes(const void *fn)
{
    Dl_info a, b;
    dladdr(fn, &a);
    for (int i = 0; i < nframes; i++)
        if (dladdr(frames[i], &b) && b.dli_saddr == a.dli_saddr)
            return true;
    return false;
}

int main(int argc, char **argv);

__attribute__((noinline)) static void walk_from(long (*call)(void))
{
    nframes = 0;
    pass_hook(SYS_getppid, take_backtrace);
    call();
    pass_hook(-1, NULL);
    assert_true(passes((const void *)call));
    assert_true(passes((const void *)main));
}

static long libc_getppid(void)
{
    return getppid();
}

static void unwinds_to_main(void **state)
{
    (void)state;
    backtrace(frames, 1); /* loads the unwinder now */
    walk_from(site_mov);
    walk_from(site_mov);
    nframes = 0;
    pass_hook(SYS_getppid, take_backtrace);
    libc_getppid();
    pass_hook(-1, NULL);
    assert_true(passes((const void *)dlsym(RTLD_DEFAULT, "getppid")));
    assert_true(passes((const void *)main));
}

static int cleaned;

static void clean(void *arg)
{
    cleaned += *(int *)arg;
}

static void *read_forever(void *fd)
{
    char c;
    int one = 1;
    pthread_cleanup_push(clean, &one);
    while (read(*(int *)fd, &c, 1) >= 0)
        ;
    pthread_cleanup_pop(0);
    return NULL;
}

static void cancels_a_thread_in_a_call(void **state)
{
    (void)state;
    int fd[2];
    assert_int_equal(pipe(fd), 0);
    for (int i = 0; i < 20; i++) {
        pthread_t t;
        void *result;
        long reads = pass_count(SYS_read);
        assert_int_equal(pthread_create(&t, NULL, read_forever, fd), 0);
        while (i % 2 && pass_count(SYS_read) == reads)
            sched_yield();
        assert_int_equal(pthread_cancel(t), 0);
        assert_int_equal(pthread_join(t, &result), 0);
        assert_ptr_equal(result, PTHREAD_CANCELED);
    }
    assert_true(cleaned >= 10 && cleaned <= 20);
    close(fd[0]);
    close(fd[1]);
}

/* ---- Processes and threads. ---- */

static char begun_stack[65536] __attribute__((aligned(16)));

static int wait_status(pid_t pid)
{
    int status = -1;
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void arms_a_forked_child(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        uint64_t t = traps();
        bool good = site_tight(SYS_getppid) == getppid() && traps() == t + 1;
        _exit(good ? 7 : 8);
    }
    assert_int_equal(wait_status(pid), 7);
}

static void runs_other_programs(void **state)
{
    (void)state;
    pid_t pid = vfork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", "exit 5", (char *)NULL);
        _exit(127);
    }
    assert_int_equal(wait_status(pid), 5);
    char *argv[] = {"sh", "-c", "exit 6", NULL};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ), 0);
        assert_int_equal(wait_status(pid), 6);
    }
    assert_int_equal(posix_spawn(&pid, "/nonexistent", NULL, NULL, argv, environ), ENOENT);
    int status = system("exit 3");
    assert_int_equal(WEXITSTATUS(status), 3);
    char line[16] = "";
    FILE *f = popen("echo out", "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f));
    assert_string_equal(line, "out\n");
    assert_int_equal(pclose(f), 0);
}

static void *next_byte(void *arg)
{
    return (char *)arg + getpid() - getpid() + 1;
}

static void lets_threads_come_and_go(void **state)
{
    (void)state;
    pthread_t t[8];
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 8; i++)
            assert_int_equal(pthread_create(&t[i], NULL, next_byte, begun_stack + i), 0);
        for (int i = 0; i < 8; i++) {
            void *result;
            assert_int_equal(pthread_join(t[i], &result), 0);
            assert_ptr_equal(result, begun_stack + i + 1);
        }
    }
}

/* Each armed thread calls through 512 sites that no thread has met yet. */
static void *call_many(void *arg)
{
    pthread_barrier_wait(arg);
    long bad = pass_arm(), parent = getppid();
    for (int round = 0; round < 20; round++)
        for (int i = 0; i < 512; i++)
            bad += ((long (*)(void))((char *)site_many + 8 * i))() != parent;
    return (void *)bad;
}

static void rewrites_under_running_threads(void **state)
{
    (void)state;
    pthread_t t[3];
    pthread_barrier_t together;
    uint64_t patched = pass_stats().patched;
    pthread_barrier_init(&together, NULL, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&t[i], NULL, call_many, &together), 0);
    for (int i = 0; i < 3; i++) {
        void *bad;
        assert_int_equal(pthread_join(t[i], &bad), 0);
        assert_null(bad);
    }
    assert_true(pass_stats().patched >= patched + 512);
}

static jmp_buf home;

static void begun(const int *word)
{
    char here;
    bool good = &here > begun_stack && &here < begun_stack + sizeof begun_stack;
    longjmp(home, good && word == &site_relative_word ? 1 : 2);
}

static void begins_a_thread_on_a_new_stack(void **state)
{
    (void)state;
    struct call_start start = {NULL, NULL};
    long pid = getpid();
    for (int i = 0; i < 2; i++) {
        pass_begin(&start, begun_stack + sizeof begun_stack);
        assert_int_equal(site_begin(begun), pid);
        assert_non_null(start.sp);
        int came = setjmp(home);
        if (came == 0)
            site_switch(start.sp, start.pc);
        assert_int_equal(came, 1);
    }
}

/* ---- Signals. ---- */

static volatile sig_atomic_t got, code;

static void on_signal(int sig, siginfo_t *info, void *context)
{
    (void)context;
    got = sig;
    code = info->si_code;
    site_tight(SYS_getppid);
    nframes = backtrace(frames, 64);
}

static void returns_from_handlers(void **state)
{
    (void)state;
    struct sigaction act = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO}, old;
    int signals[] = {SIGUSR1, SIGSYS};
    sigfillset(&act.sa_mask);
    for (int i = 0; i < 2; i++) {
        int sig = signals[i];
        assert_int_equal(sigaction(sig, &act, &old), 0);
        for (int n = 0; n < 3; n++) {
            got = 0;
            assert_int_equal(kill(getpid(), sig), 0);
            assert_int_equal(got, sig);
            assert_int_equal(code, SI_USER);
            assert_true(passes((const void *)main)); /* through the restorer */
            assert_int_equal(site_mov(), getppid());
        }
        assert_int_equal(sigaction(sig, &old, NULL), 0);
    }
}

static void dies_of_a_sigsys_nobody_handles(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGSYS, SIG_DFL); /* cmocka handles it */
        kill(getpid(), SIGSYS);
        _exit(1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

/* ---- Without Syscall User Dispatch. ---- */

static bool wants_getppid(long nr)
{
    return nr == SYS_getppid;
}

static void patches_what_is_wanted(void **state)
{
    (void)state;
    long ppid = pass_count(SYS_getppid), uid = pass_count(SYS_getuid);
    assert_int_equal(getppid(), site_mov());
    getuid();
    assert_int_equal(pass_count(SYS_getppid), ppid + 2);
    assert_int_equal(pass_count(SYS_getuid), uid);
    assert_int_equal(traps(), 0);
}

static void scans_what_is_loaded_later(void **state)
{
    (void)state;
    const char *path = getenv("INTERCEPT_PLUGIN");
    assert_non_null(path);
    void *plugin = dlopen(path, RTLD_NOW);
    assert_non_null(plugin);
    long (*call)(void) = (long (*)(void))dlsym(plugin, "plugin_getppid");
    long calls = pass_count(SYS_getppid);
    assert_int_equal(call(), getppid());
    assert_int_equal(pass_count(SYS_getppid), calls + 1);
    pass_scan();
    assert_int_equal(call(), getppid());
    assert_int_equal(pass_count(SYS_getppid), calls + 3);
    dlclose(plugin);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest linked[] = {
        cmocka_unit_test(patches_what_is_wanted),
        cmocka_unit_test(scans_what_is_loaded_later),
    };
    const struct CMUnitTest dispatched[] = {
        cmocka_unit_test(decodes_lengths_and_flow),
        cmocka_unit_test(keeps_registers_and_red_zone),
        cmocka_unit_test(gives_libc_its_results),
        cmocka_unit_test(leaves_errno_alone),
        cmocka_unit_test(rewrites_a_read_with_its_comparison),
        cmocka_unit_test(moves_what_is_relative),
        cmocka_unit_test(uses_several_instructions),
        cmocka_unit_test(goes_on_trapping_where_it_must),
        cmocka_unit_test(patches_what_is_loaded_later),
        cmocka_unit_test(unwinds_to_main),
        cmocka_unit_test(begins_a_thread_on_a_new_stack),
        cmocka_unit_test(returns_from_handlers),
        cmocka_unit_test(dies_of_a_sigsys_nobody_handles),
        cmocka_unit_test(arms_a_forked_child),
        cmocka_unit_test(runs_other_programs),
        cmocka_unit_test(lets_threads_come_and_go),
        cmocka_unit_test(cancels_a_thread_in_a_call),
        cmocka_unit_test(rewrites_under_running_threads),
    };
    if (argc > 1 && strcmp(argv[1], "linked") == 0) {
        assert_int_equal(pass_start_wanted(INTERCEPT_ALL, wants_getppid), 0);
        return cmocka_run_group_tests(linked, NULL, NULL);
    }
    if (pass_start(INTERCEPT_SUD) < 0)
        return 77; /* no Syscall User Dispatch here */
    return cmocka_run_group_tests(dispatched, NULL, NULL);
}
