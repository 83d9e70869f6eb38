/* boost_fiber.cc - Boost.Fiber (Debian: libboost-fiber-dev): see peer.h. It has no sockets. */
#include <boost/fiber/all.hpp>

#include "peer.h"

namespace fibers = boost::fibers;

static void yield_often(long n)
{
    for (; n > 0; n--)
        boost::this_fiber::yield();
}

static void peer_switches(long n)
{
    fibers::fiber a(yield_often, n / 2), b(yield_often, n / 2);
    a.join();
    b.join();
}

static void peer_spawns(long n)
{
    for (long i = 0; i < n; i++)
        fibers::fiber([] {}).join();
}

static void peer_round_trips(long n)
{
    fibers::unbuffered_channel<long> there, back;
    fibers::fiber t([&] {
        long v;
        while (there.pop(v) == fibers::channel_op_status::success)
            back.push(v);
    });
    for (long v = 0; v < n; v++) {
        there.push(v);
        back.pop(v);
    }
    there.close();
    t.join();
}

static void peer_start_sleepers(long n)
{
    for (long i = 0; i < n; i++)
        fibers::fiber([] { boost::this_fiber::sleep_for(std::chrono::hours(1)); }).detach();
    boost::this_fiber::yield();
}

static void peer_serve(unsigned short)
{
    errno = ENOSYS;
}

int main(int argc, char **argv)
{
    return peer_main(argc, argv);
}
