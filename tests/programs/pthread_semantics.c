/* pthread_semantics.c - what POSIX promises of threads, checked from inside a program that knows
 * nothing of libgreen. Run natively and greened, it has to say the same.
 * The checks stand in the other files pthread_*.c, a topic each.
 *
 *     pthread_semantics          runs every check: "ok NAME" or "not ok NAME: what" a line
 *     pthread_semantics NAME     only that one
 */
#include "pthread_semantics.h"

const char *failure;

static bool run(const struct check *check)
{
    failure = NULL;
    check->run();
    printf("%s %s%s%s\n", failure == NULL ? "ok" : "not ok", check->name,
           failure == NULL ? "" : ": ", failure == NULL ? "" : failure);
    fflush(stdout);
    return failure == NULL;
}

int main(int argc, char **argv)
{
    static const struct check *const tables[] = {life,    locks, cancellation,
                                                 signals, waits, processes};
    int failed = 0;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        for (const struct check *check = tables[i]; check->name != NULL; check++)
            if (argc == 1 || strcmp(argv[1], check->name) == 0)
                failed += !run(check);
    return failed > 0;
}
