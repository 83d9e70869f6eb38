// cxx_threads.cc - what C++ keeps per thread: exceptions in flight and thread_local objects.
#include <atomic>
#include <cstdio>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

static std::atomic<int> destroyed{0}, wrong{0};

struct Counted {
    int value = 0;
    ~Counted() { destroyed++; }
};
static thread_local Counted own;

// Each thread yields inside a handler, with an exception in flight, and throws it again.
static void throw_and_yield(int id)
{
    own.value = id;
    for (int i = 0; i < 20; i++) {
        const std::string text = std::to_string(id) + "/" + std::to_string(i);
        try {
            try {
                throw std::runtime_error(text);
            } catch (...) {
                std::this_thread::sleep_for(std::chrono::microseconds(100));
                throw;
            }
        } catch (const std::exception &e) {
            wrong += e.what() != text;
        }
    }
    wrong += own.value != id;
}

int main()
{
    std::vector<std::thread> threads;
    for (int i = 0; i < 20; i++)
        threads.emplace_back(throw_and_yield, i);
    for (auto &t : threads)
        t.join();
    const int answer = std::async(std::launch::async, [] { return 42; }).get();
    std::printf("%d destroyed, %d wrong, answer %d\n", destroyed.load(), wrong.load(), answer);
}
