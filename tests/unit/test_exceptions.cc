// test_exceptions.cc - C++ exceptions of one green thread or coroutine never mix with another's
// (green/thread.h, green/coroutine.h). Prints TAP by itself: cmocka's assertions would jump over
// destructors.
#include <cstdio>
#include <exception>
#include <green/coroutine.h>
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
    std::fflush(stdout); // or it could be printed twice
    const pid_t child = fork();
    if (child == 0) {
        std::set_terminate([] { _exit(42); });
        green_join(green_spawn(throw_out, nullptr), nullptr);
        _exit(0);
    }
    expect(waitpid(child, &status, 0) == child);
    expect(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}

// ---- coroutines ----

static int coroutine_throws_and_yields(green_coroutine *self, void *number)
{
    expect(std::uncaught_exceptions() == 0 && !std::current_exception());
    for (int i = 0; i < 10; i++) {
        const std::string text = std::to_string((long)number) + "/" + std::to_string(i);
        try {
            try {
                throw std::runtime_error(text);
            } catch (...) {
                expect(green_coroutine_yield(self, nullptr) == 0);
                throw;
            }
        } catch (const std::exception &e) {
            expect(text == e.what());
        }
        expect(std::uncaught_exceptions() == 0 && !std::current_exception());
    }
    return 0;
}

// Resumed by turns, also from inside a handler, which finds its own exception again.
static int resume_by_turns(void *)
{
    green_coroutine *co[10];
    for (long i = 0; i < 10; i++)
        co[i] = green_coroutine_create(coroutine_throws_and_yields, (void *)i);
    for (int left = 10; left > 0;) {
        try {
            throw left;
        } catch (int mine) {
            for (green_coroutine *each : co)
                if (green_coroutine_status(each) == GREEN_COROUTINE_SUSPENDED)
                    left -= green_coroutine_resume(each, nullptr, nullptr) == 0 ? 1 : 0;
            expect(std::uncaught_exceptions() == 0 && std::current_exception());
            try {
                throw;
            } catch (int again) {
                expect(again == mine);
            }
        }
        expect(!std::current_exception());
    }
    for (green_coroutine *each : co)
        expect(green_coroutine_destroy(each) == 0);
    return 0;
}

static void coroutines()
{
    resume_by_turns(nullptr);
}

static int coroutine_waits(green_coroutine *self, void *thread)
{
    try {
        throw thread;
    } catch (void *caught) {
        green_yield(); // the whole green thread
        expect(caught == thread);
        expect(green_coroutine_yield(self, nullptr) == 0);
        green_yield();
        expect(std::current_exception() != nullptr);
    }
    expect(!std::current_exception());
    return 0;
}

static int thread_of_coroutines(void *number)
{
    green_coroutine *co = green_coroutine_create(coroutine_waits, number);
    expect(green_coroutine_resume(co, nullptr, nullptr) == 1);
    expect(!std::current_exception());
    throw_and_yield(number);
    expect(green_coroutine_resume(co, nullptr, nullptr) == 0);
    expect(green_coroutine_destroy(co) == 0);
    return resume_by_turns(number);
}

static void coroutines_in_threads()
{
    green_group g = GREEN_GROUP_INIT;
    for (long i = 0; i < 100; i++)
        expect(green_group_spawn(&g, thread_of_coroutines, (void *)i) == 0);
    expect(green_group_join(&g) == 0);
}

static int takes_over(green_coroutine *self, void *next)
{
    expect(!std::current_exception());
    try {
        throw static_cast<void *>(self);
    } catch (void *mine) {
        if (next != nullptr)
            expect(green_coroutine_transfer(self, (green_coroutine *)next, nullptr) == 0);
        else
            expect(green_coroutine_yield(self, nullptr) == 0);
        expect(mine == self && std::current_exception());
    }
    return 0;
}

static void transfers()
{
    green_coroutine *last = green_coroutine_create(takes_over, nullptr);
    green_coroutine *first = green_coroutine_create(takes_over, last);
    expect(green_coroutine_resume(first, nullptr, nullptr) == 1);
    expect(!std::current_exception());
    expect(green_coroutine_resume(first, nullptr, nullptr) == 0);
    expect(!std::current_exception());
    expect(green_coroutine_resume(last, nullptr, nullptr) == 0);
    expect(green_coroutine_destroy(first) == 0 && green_coroutine_destroy(last) == 0);
}

int main()
{
    const struct {
        const char *name;
        void (*run)();
    } tests[] = {
        {"uncaught", uncaught},     // first: it forks
        {"coroutines", coroutines}, // before there is a hub
        {"transfers", transfers},
        {"many threads", many_threads},
        {"born in a handler", born_in_a_handler},
        {"coroutines in threads", coroutines_in_threads},
    };
    const int count = sizeof tests / sizeof tests[0];
    int failed = 0;
    std::printf("1..%d\n", count);
    for (int i = 0; i < count; i++) {
        wrong = 0;
        tests[i].run();
        failed += wrong != 0 ? 1 : 0;
        std::printf("%s %d - %s\n", wrong != 0 ? "not ok" : "ok", i + 1, tests[i].name);
    }
    return failed;
}
