/* test_generator.c - generators (green/generator.h). Linked with memory_get wrapped. */
#include "unit.h"

#include "memory.h"
#include <green/generator.h>
#include <sys/mman.h>
#include <sys/resource.h>

void *__real_memory_get(size_t size);
void *__wrap_memory_get(size_t size);
void *__real_memory_resize(void *block, size_t size);
void *__wrap_memory_resize(void *block, size_t size);
void __real_memory_put(void *block);
void __wrap_memory_put(void *block);

static long fuse = -1; /* allocations until one fails; < 0: none does */
static long held;      /* blocks in use */

void *__wrap_memory_get(size_t size)
{
    void *block = fuse >= 0 && fuse-- == 0 ? NULL : __real_memory_get(size);
    held += block != NULL;
    return block;
}

void *__wrap_memory_resize(void *block, size_t size)
{
    return __real_memory_resize(block, size);
}

void __wrap_memory_put(void *block)
{
    held -= block != NULL;
    __real_memory_put(block);
}

static int cleaned; /* generators that came to their own end */

static int count_up(green_generator *g, void *arg)
{
    int *limit = arg, rc = 0;
    for (int i = 0; rc == 0 && i < *limit; i++)
        rc = green_generator_yield(g, &i);
    cleaned++;
    return rc;
}

static green_generator *numbers(int *limit)
{
    return green_generator_create(sizeof(int), count_up, limit);
}

static void test_items_until_the_end(void **state)
{
    int limit = 5, sum = 0, item;
    (void)state;
    cleaned = 0;
    errno = ENOTTY;
    green_for(int, i, numbers(&limit))
        sum += i;
    assert_int_equal(errno, 0);
    assert_int_equal(sum, 10);
    assert_int_equal(cleaned, 1);
    limit = 0;
    green_for(int, i, numbers(&limit))
        sum += i;
    assert_int_equal(sum, 10);

    green_generator *g = numbers(&limit);
    limit = 1;
    assert_int_equal(green_generator_next(g, &item), 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(green_generator_next(g, &item), 0);
    assert_fails(green_generator_yield(g, &item), EINVAL);
    assert_int_equal(green_generator_destroy(g), 0);
    assert_int_equal(green_generator_destroy(NULL), 0);
}

static int find(int *limit, int wanted)
{
    green_for(int, i, numbers(limit)) {
        if (i % 2 != 0)
            continue;
        if (i == wanted) {
            errno = EDOM;
            return i;
        }
    }
    return -1;
}

static void test_leaving_early_closes(void **state)
{
    int limit = 100, last = -1;
    (void)state;
    cleaned = 0;
    green_for(int, i, numbers(&limit)) {
        last = i;
        if (i == 3)
            break;
    }
    assert_int_equal(last, 3);
    assert_int_equal(cleaned, 1);
    assert_int_equal(find(&limit, 42), 42);
    assert_int_equal(errno, EDOM); /* the body's errno survives the clean-up */
    assert_int_equal(cleaned, 2);
    green_for(int, i, numbers(&limit))
        green_for(int, j, numbers(&limit))
            if ((last = i * j) > 50)
                break;
    assert_int_equal(cleaned, 2 + 1 + 100);
}

static int fail_at_two(green_generator *g, void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++)
        if (green_generator_yield(g, &i) < 0)
            return -1;
    errno = EBADMSG;
    return -1;
}

static void test_errors(void **state)
{
    int item, seen = 0;
    (void)state;
    green_for(int, i, green_generator_create(sizeof(int), fail_at_two, NULL))
        seen += i + 1;
    assert_int_equal(errno, EBADMSG);
    assert_int_equal(seen, 3);
    green_generator *g = green_generator_create(sizeof(int), fail_at_two, NULL);
    assert_int_equal(green_generator_next(g, &item), 1);
    assert_int_equal(green_generator_next(g, &item), 1);
    assert_fails(green_generator_next(g, &item), EBADMSG);
    assert_fails(green_generator_next(g, &item), EBADMSG);
    assert_int_equal(green_generator_destroy(g), 0);
    seen = 0;
    green_for(char, c, green_generator_create(sizeof(int), fail_at_two, NULL))
        seen += c + 1;
    assert_int_equal(errno, EINVAL); /* another size */
    green_for(int, i, green_generator_create(sizeof(int), NULL, NULL))
        seen += i + 1;
    assert_int_equal(errno, EINVAL);
    assert_int_equal(seen, 0);
}

static int fail_with_a_sentence(green_generator *g, void *arg)
{
    (void)g, (void)arg;
    return green_spawn(NULL, NULL) != NULL ? 0 : -1;
}

/* What failed inside has said why: behind the loop, and each time one asks for an item. */
static void test_the_sentence_of_a_failure_stands(void **state)
{
    static const char why[] = "green_spawn: no function";
    int item;
    (void)state;
    green_for(int, i, green_generator_create(sizeof(int), fail_with_a_sentence, NULL))
        assert_int_equal(i, -1);
    assert_string_equal(green_errmsg(), why);
    green_generator *g = green_generator_create(sizeof(int), fail_with_a_sentence, NULL);
    assert_fails(green_generator_next(g, &item), EINVAL);
    assert_string_equal(green_errmsg(), why);
    assert_fails(green_generator_next(g, &item), EINVAL);
    assert_string_equal(green_errmsg(), why);
    assert_int_equal(green_generator_destroy(g), 0);
}

/* ---- from the depth of a recursion ---- */

struct node {
    struct node *left, *right;
    int key;
};

/* In order; a tree of `depth` levels over the keys from `low` on. */
static struct node *plant(struct node *pool, int depth, int low)
{
    if (depth == 0)
        return NULL;
    int half = (1 << (depth - 1)) - 1;
    struct node *n = &pool[low + half];
    *n = (struct node){plant(pool, depth - 1, low), NULL, low + half};
    n->right = plant(pool, depth - 1, low + half + 1);
    return n;
}

static int walk(green_generator *g, const struct node *n)
{
    if (n == NULL)
        return 0;
    if (walk(g, n->left) < 0 || green_generator_yield(g, &n->key) < 0)
        return -1;
    return walk(g, n->right);
}

static int walk_tree(green_generator *g, void *root)
{
    return walk(g, root);
}

static void test_tree_walk(void **state)
{
    enum { DEPTH = 12, CHAIN = 5000 };
    static struct node pool[1 << DEPTH];
    struct node *root = plant(pool, DEPTH, 0);
    int expected = 0;
    (void)state;
    green_for(int, key, green_generator_create(sizeof(int), walk_tree, root))
        assert_int_equal(key, expected++);
    assert_int_equal(expected, (1 << DEPTH) - 1);

    static struct node chain[CHAIN]; /* a list to the left: as deep as it is long */
    for (int i = 0; i < CHAIN; i++)
        chain[i] = (struct node){i > 0 ? &chain[i - 1] : NULL, NULL, i};
    green_coroutine_options deep = {.stack_size = 4 << 20};
    expected = 0;
    green_for(int, key,
              green_generator_create_with(&deep, sizeof(int), walk_tree, &chain[CHAIN - 1])) {
        assert_int_equal(key, expected++);
        if (expected == CHAIN / 2)
            break; /* clean-up from within half of the frames */
    }
    assert_int_equal(expected, CHAIN / 2);
}

/* ---- pipes ---- */

static int even_only(green_generator *g, void *source)
{
    int item, rc;
    while ((rc = green_generator_next(source, &item)) > 0)
        if (item % 2 == 0 && green_generator_yield(g, &item) < 0)
            return -1;
    return rc;
}

static void release_source(void *source)
{
    green_generator_destroy(source);
}

static green_generator *evens(green_generator *source)
{
    green_coroutine_options options = {.release = release_source};
    return green_generator_create_with(&options, sizeof(int), even_only, source);
}

static void test_a_pipe_closes_its_source(void **state)
{
    int limit = 10, sum = 0;
    (void)state;
    long before = held;
    cleaned = 0;
    green_for(int, i, evens(numbers(&limit)))
        sum += i;
    assert_int_equal(sum, 20);
    green_for(int, i, evens(evens(numbers(&limit))))
        if (i == 4)
            break;
    assert_int_equal(cleaned, 2);
    assert_int_equal(green_generator_destroy(evens(numbers(&limit))), 0); /* never ran */
    assert_int_equal(held, before);
}

/* ---- exhaustion ---- */

static void test_no_memory(void **state)
{
    int limit = 1;
    (void)state;
    long before = held;
    fuse = 0;
    errno = 0;
    assert_null(numbers(&limit));
    assert_int_equal(errno, ENOMEM);
    green_coroutine_options other = {.stack_size = 1 << 20}; /* its pool has no slab yet */
    fuse = 1;
    errno = 0;
    assert_null(green_generator_create_with(&other, sizeof(int), count_up, &limit));
    assert_int_equal(errno, ENOMEM);
    fuse = -1;
    green_generator *g = green_generator_create_with(&other, sizeof(int), count_up, &limit);
    assert_non_null(g);
    assert_int_equal(green_generator_destroy(g), 0);
    assert_int_equal(held, before + 1); /* the slab stays */
}

#ifndef __SANITIZE_ADDRESS__
static void test_no_address_space(void **state)
{
    struct rlimit was, tight = {1 << 20, RLIM_INFINITY};
    green_coroutine_options large = {.stack_size = (size_t)1 << 30};
    int limit = 1;
    (void)state;
    if (RUNNING_ON_VALGRIND) {
        print_message("# skipped: valgrind ends when the limit meets itself\n");
        return;
    }
    long before = held;
    assert_int_equal(getrlimit(RLIMIT_AS, &was), 0);
    tight.rlim_max = was.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_AS, &tight), 0);
    void *probe = mmap(NULL, 4 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    errno = 0;
    green_generator *g = green_generator_create_with(&large, sizeof(int), count_up, &limit);
    int err = errno;
    assert_int_equal(setrlimit(RLIMIT_AS, &was), 0);
    if (probe != MAP_FAILED) {
        print_message("# skipped: an emulator does not limit the address space\n");
        green_generator_destroy(g);
        munmap(probe, 4 << 20);
        return;
    }
    assert_null(g);
    assert_int_equal(err, ENOMEM);
    assert_int_equal(held, before);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items_until_the_end),
        cmocka_unit_test(test_leaving_early_closes),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_the_sentence_of_a_failure_stands),
        cmocka_unit_test(test_tree_walk),
        cmocka_unit_test(test_a_pipe_closes_its_source),
        cmocka_unit_test(test_no_memory),
#ifndef __SANITIZE_ADDRESS__
        cmocka_unit_test(test_no_address_space),
#endif
    };
    return cmocka_run_group_tests_name("generator", tests, NULL, NULL);
}
