/* blpop.c - many green threads, each in a blocking call of hiredis, which knows nothing of them.
 *
 *     blpop PORT THREADS     each waits for a second on a key of redis that nobody sets */
#include <green.h>
#include <green/monkey.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

static int port, answered;

static int wait_on_key(void *arg)
{
    (void)arg;
    redisContext *c = redisConnect("127.0.0.1", port);
    if (c == NULL || c->err != 0) {
        fprintf(stderr, "blpop: %s\n", c != NULL ? c->errstr : "no memory");
        redisFree(c);
        return -1;
    }
    redisReply *reply = redisCommand(c, "BLPOP nokey 1");
    if (reply != NULL && reply->type == REDIS_REPLY_NIL)
        answered++;
    freeReplyObject(reply);
    redisFree(c);
    return 0;
}

int main(int argc, char **argv)
{
    green_group group = GREEN_GROUP_INIT;
    int count = argc > 2 ? atoi(argv[2]) : 1;
    port = argc > 1 ? atoi(argv[1]) : 6379;
    if (green_monkey_patch() < 0)
        perror("blpop: green_monkey_patch");
    green_monkey_report(stdout);
    int64_t begun = green_now();
    for (int i = 0; i < count; i++)
        green_group_spawn(&group, wait_on_key, NULL);
    int rc = green_group_join(&group);
    printf("%d answered in %lld ms\n", answered, (long long)((green_now() - begun) / GREEN_MS));
    return rc == 0 ? 0 : 1;
}
