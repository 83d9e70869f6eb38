/* crawl.c - follows the links of a web site with a bounded pool: at most so many pages are fetched
 * at a time, each once, none outside the site. */
#include <err.h>
#include <green.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 10000 };
static char *urls[MOST]; /* found so far; each is fetched once */
static int found, failed;
static char site[256]; /* "http://host:port" */
static green_pool pool = GREEN_POOL_INIT(8);

/* Where a link on a page leads to; false: elsewhere, or it is of a kind that is left alone. */
static bool resolve(const char *page, const char *link, int length, char *url, size_t size)
{
    int n, dir = (int)strcspn(page, "?");
    while (page[dir - 1] != '/')
        dir--;
    if (link[0] == '.' || link[0] == '?' || strncmp(link, "//", 2) == 0)
        return false;
    if (link[strcspn(link, ":/?#\"")] == ':')
        n = snprintf(url, size, "%.*s", length, link);
    else if (link[0] == '/')
        n = snprintf(url, size, "%s%.*s", site, length, link);
    else
        n = snprintf(url, size, "%.*s%.*s", dir, page, length, link);
    return (size_t)n < size && strncmp(url, site, strlen(site)) == 0 && url[strlen(site)] == '/';
}

/* Note a link of a page unless it is known or leads elsewhere. */
static void add(const char *page, const char *link)
{
    char url[1024];
    int length = (int)strcspn(link, "#\"'"); /* up to the end, or the fragment */
    if (length == 0 || found == MOST || !resolve(page, link, length, url, sizeof url))
        return;
    for (int i = 0; i < found; i++)
        if (strcmp(urls[i], url) == 0)
            return;
    if ((urls[found] = strdup(url)) != NULL)
        found++;
}

static int fetch(void *arg)
{
    green_http_response page;
    const char *url = arg;
    green_within(10 * GREEN_SEC) {
        if (green_http_get(url, NULL, &page) < 0) {
            warnx("%s: %s", url, green_errmsg());
            failed++;
            return 0; /* a failure is no reason to give up the others */
        }
        printf("%d %zu %s\n", page.status, page.length, url);
        for (const char *p = page.body; (p = strstr(p, "href=\"")) != NULL;)
            add(url, p += strlen("href=\""));
        green_http_free(&page);
    }
    return 0;
}

static void crawl(void)
{
    for (int next = 0; next < found;) {
        for (; next < found; next++)
            if (green_pool_spawn(&pool, fetch, urls[next]) < 0) /* waits while the pool is full */
                errx(1, "%s", green_errmsg());
        green_pool_join(&pool); /* the last ones may have found more */
    }
}

int main(int argc, char **argv)
{
    if (argc == 2 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)) {
        puts("usage: crawl URL [AT_A_TIME]\n"
             "Fetches URL and all pages of its site that links lead to, 8 at a time.");
        return 0;
    }
    if (argc < 2 || argc > 3)
        errx(2, "one URL is meant, and perhaps a number (see --help)");
    const char *slashes = strstr(argv[1], "://");
    if (slashes == NULL)
        errx(2, "'%s' is not a URL (see --help)", argv[1]);
    if (argc == 3) {
        char *end;
        long limit = strtol(argv[2], &end, 10);
        if (*end != '\0' || limit < 1 || limit > MOST)
            errx(2, "how many at a time? '%s' is no number from 1 to %d", argv[2], MOST);
        pool.limit = (int)limit;
    }
    const char *path = slashes + 3 + strcspn(slashes + 3, "/");
    snprintf(site, sizeof site, "%.*s", (int)(path - argv[1]), argv[1]);
    add(argv[1], *path == '/' ? path : "/");
    if (found == 0)
        errx(2, "that URL is too long, or has no page");
    crawl();
    for (int i = 0; i < found; i++)
        free(urls[i]);
    printf("%d page%s, %d failed\n", found, found == 1 ? "" : "s", failed);
    if (fflush(stdout) != 0 || ferror(stdout))
        err(1, "standard output");
    return failed > 0;
}
