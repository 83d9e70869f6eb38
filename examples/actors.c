/* actors.c - accounts as actors: each is a green thread that owns its money and works through its
 * mailbox. Now and then one falls over; the supervisor, linked to all of them, puts another one in
 * its place, which finds the mailbox as it was. Not a coin is lost. Shows links and queues. */
#include <err.h>
#include <errno.h>
#include <green.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ACCOUNTS = 10, CLIENTS = 4, AT_FIRST = 1000, FALLS = 20 /* one letter in so many */ };

struct account {
    green_queue *mailbox;
    long balance; /* only its actor touches it */
    long restarts;
    green_thread *actor;
    green_link link;
};

static struct account accounts[ACCOUNTS];
static struct account *fallen[ACCOUNTS]; /* each is in there once at most: there is always room */
static green_chan ends = GREEN_CHAN_INIT(sizeof fallen[0], ACCOUNTS, fallen);
static long refused;

struct letter {
    struct account *to; /* pay it to this one; NULL: it is for the reader */
    long amount;
};

static int post(struct account *a, struct account *to, long amount)
{
    struct letter *l = malloc(sizeof *l);
    if (l == NULL)
        return -1;
    *l = (struct letter){to, amount};
    if (green_queue_put(a->mailbox, l) == 0)
        return 0;
    free(l);
    return -1;
}

/* All or nothing. */
static int handle(struct account *a, const struct letter *l)
{
    if (rand() % FALLS == 0) {
        errno = EIO;
        return -1;
    }
    if (l->to == NULL) {
        a->balance += l->amount;
    } else if (l->amount > a->balance) {
        refused++;
    } else {
        if (post(l->to, NULL, l->amount) < 0)
            return -1;
        a->balance -= l->amount;
    }
    return 0;
}

/* A letter stays in the mailbox until it is handled. */
static int actor(void *arg)
{
    struct account *a = arg;
    void *letter;
    int got;
    while ((got = green_queue_peek(a->mailbox, &letter)) > 0) {
        if (handle(a, letter) < 0 || green_queue_get(a->mailbox, &letter) < 0)
            return -1;
        free(letter);
        green_queue_task_done(a->mailbox);
    }
    return got;
}

/* ---- the supervisor ---- */

/* Called when an actor has ended: it must not block, so it only tells. */
static void ended(green_link *link)
{
    green_chan_try_send(&ends, &link->arg);
}

static int start(struct account *a)
{
    a->actor = green_spawn(actor, a);
    return a->actor == NULL ? -1 : green_link_to(&a->link, a->actor, ended, a);
}

/* Until the last of them has ended well. */
static int supervise(void *arg)
{
    struct account *a;
    (void)arg;
    for (int left = ACCOUNTS; left > 0;) {
        int result = 0;
        if (green_chan_recv(&ends, &a) < 0 || green_join(a->actor, &result) < 0)
            return -1;
        if (result == 0) {
            left--;
        } else {
            a->restarts++;
            if (start(a) < 0)
                return -1;
        }
    }
    return 0;
}

/* ---- those who pay ---- */

static int client(void *arg)
{
    for (long n = *(long *)arg; n > 0; n--) {
        struct account *from = &accounts[rand() % ACCOUNTS], *to = &accounts[rand() % ACCOUNTS];
        if (post(from, to, rand() % AT_FIRST) < 0 || green_yield() < 0)
            return -1;
    }
    return 0;
}

static int open_accounts(void)
{
    for (struct account *a = accounts; a < accounts + ACCOUNTS; a++) {
        *a = (struct account){.balance = AT_FIRST, .mailbox = green_queue_make(NULL)};
        if (a->mailbox == NULL || start(a) < 0)
            return -1;
    }
    return 0;
}

/* A payment is two letters: after the second round both have been read. */
static int close_accounts(void)
{
    for (int i = 0; i < 2 * ACCOUNTS; i++)
        if (green_queue_join(accounts[i % ACCOUNTS].mailbox) < 0)
            return -1;
    for (int i = 0; i < ACCOUNTS; i++)
        green_queue_shutdown(accounts[i].mailbox, false); /* its actor ends */
    return 0;
}

static int run(long payments)
{
    green_group clients = GREEN_GROUP_INIT;
    green_thread *supervisor;
    int result = -1;
    long share = payments / CLIENTS, first = share + payments % CLIENTS;
    if (open_accounts() < 0 || (supervisor = green_spawn(supervise, NULL)) == NULL)
        return -1;
    for (int i = 0; i < CLIENTS; i++)
        if (green_group_spawn(&clients, client, i == 0 ? &first : &share) < 0)
            return -1;
    if (green_group_join(&clients) < 0 || close_accounts() < 0 ||
        green_join(supervisor, &result) < 0)
        return -1;
    return result;
}

/* 0: as much as there was. */
static int report(long payments)
{
    long sum = 0, restarts = 0;
    for (int i = 0; i < ACCOUNTS; i++) {
        struct account *a = &accounts[i];
        printf("account %d: %ld, restarted %ld times\n", i, a->balance, a->restarts);
        sum += a->balance;
        restarts += a->restarts;
        green_queue_free(a->mailbox);
    }
    printf("%ld payments, %ld refused, %ld restarts, %ld in all of %d\n", payments, refused,
           restarts, sum, ACCOUNTS * AT_FIRST);
    return sum == ACCOUNTS * AT_FIRST ? 0 : 1;
}

int main(int argc, char **argv)
{
    char *end = NULL;
    if (argc == 2 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)) {
        puts("usage: actors N\n"
             "N payments between ten accounts, each a green thread that may fall over at any\n"
             "letter and is restarted by its supervisor. The sum stays what it was.");
        return 0;
    }
    if (argc != 2)
        errx(2, "how many payments? One number is meant (see --help)");
    long n = strtol(argv[1], &end, 10);
    if (*end != '\0' || n < 1 || n > 100000000)
        errx(2, "how many payments? '%s' is no number from 1 to 100000000", argv[1]);
    if (run(n) < 0)
        errx(1, "%s", green_errmsg());
    int status = report(n);
    if (fflush(stdout) != 0 || ferror(stdout))
        err(1, "standard output");
    return status;
}
