/* test_heap.c - the timer heap (runtime/heap.h). */
#include "unit.h"

#include "heap.h"
#include "thread.h"

enum { N = 1000 };
static struct green_thread threads[N];

static void reset(struct heap *heap)
{
    memset(threads, 0, sizeof threads);
    *heap = (struct heap){0};
    assert_true(heap_reserve(heap, N));
}

static void assert_drains_sorted(struct heap *heap, uint32_t count)
{
    int64_t last = INT64_MIN;
    assert_int_equal(heap->count, count);
    while (heap->count > 0) {
        assert_true(heap_first(heap) >= last);
        last = heap_first(heap);
        struct green_thread *t = heap->entries[1].thread;
        assert_int_equal(t->timer_at, last);
        heap_disarm(heap, t);
        assert_int_equal(t->timer_pos, 0);
    }
    assert_int_equal(heap_first(heap), INT64_MAX);
}

static void test_order(void **state)
{
    struct heap heap;
    (void)state;
    reset(&heap);
    srandom(1);
    for (int i = 0; i < N; i++)
        heap_arm(&heap, &threads[i], random() % 500);
    assert_drains_sorted(&heap, N);
    heap_free(&heap);
}

static void test_move_and_remove(void **state)
{
    struct heap heap;
    (void)state;
    reset(&heap);
    srandom(2);
    for (int i = 0; i < N; i++)
        heap_arm(&heap, &threads[i], random());
    for (int i = 0; i < N; i += 2)
        heap_arm(&heap, &threads[i], random()); /* earlier or later */
    for (int i = 0; i < N; i += 3)
        heap_disarm(&heap, &threads[i]);
    heap_disarm(&heap, &threads[0]); /* unarmed: harmless */
    assert_drains_sorted(&heap, N - (N + 2) / 3);
    heap_free(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_move_and_remove),
    };
    return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
