// test_exceptions.cc - C++ exceptions of one green thread never mix with another's
// (green/thread.h). Prints TAP by itself: cmocka's assertions would jump over destructors.
#include <cstdio>
#include <exception>
#include <green/group.h>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

static int wrong;

static void expect(bool right)
{
    wrong += right ? 0 : 1;
}

// Yields while an exception passes through.
struct YieldsWhenLeft {
    ~YieldsWhenLeft()
    {
        green_yield();
        expect(std::uncaught_exceptions() == 1);
        green_yield();
    }
};

static void pass_on(const std::string &text)
{
    YieldsWhenLeft yields;
    throw std::runtime_error(text);
}

static int newborn(void *)
{
    expect(std::uncaught_exceptions() == 0 && !std::current_exception());
    return 0;
}

static int throw_and_yield(void *number)
{
    for (int i = 0; i < 10; i++) {
        const std::string text = std::to_string((long)number) + "/" + std::to_string(i);
        try {
            try {
                pass_on(text);
            } catch (...) {
                green_yield();
                try {
                    pass_on("inner " + text);
                } catch (const std::exception &e) {
                    green_yield();
                    expect("inner " + text == e.what());
                }
                green_yield();
                throw;
            }
        } catch (const std::exception &e) {
            expect(text == e.what());
        }
        expect(std::uncaught_exceptions() == 0 && !std::current_exception());
    }
    return 0;
}

static void many_threads()
{
    green_group g = GREEN_GROUP_INIT;
    for (long i = 0; i < 1000; i++)
        expect(green_group_spawn(&g, throw_and_yield, (void *)i) == 0);
    expect(green_group_join(&g) == 0);
}

// A thread that begins while another is inside a handler has nothing of it.
static void born_in_a_handler()
{
    try {
        throw 7;
    } catch (int seven) {
        expect(green_join(green_spawn(newborn, nullptr), nullptr) == 0);
        expect(seven == 7 && std::current_exception());
    }
}

static int throw_out(void *)
{
    throw std::runtime_error("nobody catches it");
}

// What leaves a thread's function ends the program by std::terminate.
static void uncaught()
{
    int status = 0;
    const pid_t child = fork();
    if (child == 0) {
        std::set_terminate([] { _exit(42); });
        green_join(green_spawn(throw_out, nullptr), nullptr);
        _exit(0);
    }
    expect(waitpid(child, &status, 0) == child);
    expect(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}

int main()
{
    const struct {
        const char *name;
        void (*run)();
    } tests[] = {
        {"uncaught", uncaught}, // first: it forks
        {"many threads", many_threads},
        {"born in a handler", born_in_a_handler},
    };
    int failed = 0;
    std::printf("1..3\n");
    for (int i = 0; i < 3; i++) {
        wrong = 0;
        tests[i].run();
        failed += wrong != 0 ? 1 : 0;
        std::printf("%s %d - %s\n", wrong != 0 ? "not ok" : "ok", i + 1, tests[i].name);
    }
    return failed;
}
