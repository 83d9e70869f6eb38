/* launcher.c - green: run a program's POSIX threads as green threads.
 *
 * Sets LD_PRELOAD and executes the program, after looking whether that can work at all: what the
 * dynamic loader would silently ignore is said here, in one line. Speaks to the preloaded library
 * through GREEN_STATS, GREEN_VERBOSE and GREEN_NO_INHERIT. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif

enum { CANNOT = 125, NOT_EXECUTABLE = 126, NOT_FOUND = 127 };

static const char usage[] =
    "usage: green [OPTION]... PROGRAM [ARGUMENT]...\n"
    "Runs PROGRAM with its POSIX threads as green threads on one OS thread.\n"
    "\n"
    "  --stats       at the end of each process, a line of figures on standard error\n"
    "  --no-inherit  programs that PROGRAM starts run natively\n"
    "  --verbose     say so when a process cannot be greened and runs natively\n"
    "  --help        this text\n"
    "  --version     the version\n"
    "\n"
    "GREEN_PRELOAD in the environment names another libgreen-preload.so to use.\n"
    "Exit status: PROGRAM's; 125: green itself failed; 126: PROGRAM cannot be executed or\n"
    "greened; 127: PROGRAM not found.\n";

static _Noreturn void fail(int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("green: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(status);
}

/* ---- the library ---- */

/* Where this launcher's own build or installation has it. */
static const char *const places[] = {"libgreen-preload.so", GREEN_PRELOAD_FROM_BIN};

static char *find_library(void)
{
    static char path[PATH_MAX], real[PATH_MAX];
    const char *wish = getenv("GREEN_PRELOAD");
    if (wish != NULL && *wish != '\0') {
        if (realpath(wish, real) == NULL)
            fail(CANNOT, "GREEN_PRELOAD: %s: %s", wish, strerror(errno));
        return real;
    }
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 128);
    char *slash = n > 0 ? memrchr(path, '/', (size_t)n) : NULL;
    for (size_t i = 0; slash != NULL && i < sizeof places / sizeof places[0]; i++) {
        snprintf(slash + 1, 127, "%s", places[i]);
        if (realpath(path, real) != NULL)
            return real;
    }
    fail(CANNOT, "libgreen-preload.so is not where it was built or installed");
}

static void set_preload(const char *library)
{
    const char *before = getenv("LD_PRELOAD");
    char *list = NULL;
    if (before == NULL || *before == '\0')
        list = strdup(library);
    else if (asprintf(&list, "%s:%s", library, before) < 0)
        list = NULL;
    if (list == NULL || setenv("LD_PRELOAD", list, 1) < 0)
        fail(CANNOT, "no memory");
    if (strpbrk(library, ": ") != NULL)
        fail(CANNOT, "%s: the loader accepts no path with a colon or a space", library);
    free(list);
}

/* ---- the program ---- */

static bool is_program(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* As execvp(3) looks for it. */
static const char *find_program(const char *name)
{
    static char path[PATH_MAX];
    const char *list = getenv("PATH"), *seen = NULL;
    if (strchr(name, '/') != NULL) {
        if (access(name, F_OK) < 0)
            fail(NOT_FOUND, "%s: %s", name, strerror(errno));
        if (!is_program(name))
            fail(NOT_EXECUTABLE, "%s: not an executable file", name);
        return name;
    }
    for (const char *dir = list != NULL ? list : "/bin:/usr/bin"; dir != NULL;) {
        size_t n = strcspn(dir, ":");
        snprintf(path, sizeof path, "%.*s/%s", n > 0 ? (int)n : 1, n > 0 ? dir : ".", name);
        if (is_program(path))
            return path;
        if (seen == NULL && access(path, F_OK) == 0)
            seen = path;
        dir = dir[n] != '\0' ? dir + n + 1 : NULL;
    }
    if (seen != NULL)
        fail(NOT_EXECUTABLE, "%s: not an executable file", name);
    fail(NOT_FOUND, "%s: not found", name);
}

static void check_privileges(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return;
    bool other = ((st.st_mode & S_ISUID) != 0 && st.st_uid != getuid()) ||
                 ((st.st_mode & S_ISGID) != 0 && st.st_gid != getgid());
    if (other || getxattr(path, "security.capability", NULL, 0) > 0)
        fail(NOT_EXECUTABLE,
             "%s: gains privileges (set-id or file capabilities), so the loader "
             "would ignore the library",
             path);
}

/* Does the file name an interpreter, that is, will the dynamic loader see it? */
static bool is_dynamic(int fd, const Elf64_Ehdr *elf)
{
    Elf64_Phdr ph;
    for (int i = 0; i < elf->e_phnum; i++) {
        off_t at = (off_t)(elf->e_phoff + (Elf64_Off)i * elf->e_phentsize);
        if (pread(fd, &ph, sizeof ph, at) == sizeof ph && ph.p_type == PT_INTERP)
            return true;
    }
    return false;
}

/* A script is looked at through its interpreter, a level or two. */
static void check_program(const char *path, int depth)
{
    union {
        Elf64_Ehdr elf;
        char text[256];
    } head = {.text = ""};
    check_privileges(path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, &head, sizeof head - 1) : -1;
    if (n < 0) /* executable but not readable: the kernel may know better */
        return;
    if (n > 2 && memcmp(head.text, "#!", 2) == 0 && depth < 4) {
        char *interpreter = head.text + 2 + strspn(head.text + 2, " \t");
        interpreter[strcspn(interpreter, " \t\r\n")] = '\0';
        check_program(interpreter, depth + 1);
    } else if (n >= (ssize_t)sizeof head.elf && memcmp(head.elf.e_ident, ELFMAG, SELFMAG) == 0) {
        if (head.elf.e_ident[EI_CLASS] != ELFCLASS64 || head.elf.e_machine != EM_X86_64)
            fail(NOT_EXECUTABLE, "%s: for another architecture than x86-64", path);
        if (!is_dynamic(fd, &head.elf))
            fail(NOT_EXECUTABLE, "%s: statically linked, so no library can be preloaded", path);
    }
    close(fd);
}

/* Off is always allowed where it exists. */
static void check_kernel(void)
{
    if (prctl(PR_SET_SYSCALL_USER_DISPATCH, 0, 0, 0, 0) < 0)
        fail(CANNOT, "this kernel has no Syscall User Dispatch (Linux 5.11 and later): %s",
             strerror(errno));
}

/* ---- options ---- */

static void wish(const char *name)
{
    if (setenv(name, "1", 1) < 0)
        fail(CANNOT, "no memory");
}

static void read_options(int argc, char **argv)
{
    static const struct option options[] = {
        {"help", no_argument, NULL, 'h'},       {"version", no_argument, NULL, 'V'},
        {"stats", no_argument, NULL, 's'},      {"verbose", no_argument, NULL, 'v'},
        {"no-inherit", no_argument, NULL, 'n'}, {NULL, 0, NULL, 0},
    };
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, "+h", options, NULL)) != -1;) {
        switch (c) {
        case 'h':
            fputs(usage, stdout);
            exit(0);
        case 'V':
            puts("green " GREEN_VERSION);
            exit(0);
        case 's':
            wish("GREEN_STATS");
            break;
        case 'v':
            wish("GREEN_VERBOSE");
            break;
        case 'n':
            wish("GREEN_NO_INHERIT");
            break;
        default:
            fail(CANNOT, "unknown option %s (see green --help)", argv[optind - 1]);
        }
    }
    if (optind >= argc)
        fail(CANNOT, "which program? (see green --help)");
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    const char *program = find_program(argv[optind]);
    check_program(program, 0);
    check_kernel();
    set_preload(find_library());
    execv(program, argv + optind);
    fail(errno == ENOENT ? NOT_FOUND : NOT_EXECUTABLE, "%s: %s", program, strerror(errno));
}
