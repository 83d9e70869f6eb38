/* state.h - asking threads of the same hub, and telling of new ones. See green/state.h. */
#pragma once
#include "thread.h"
#include <green/state.h>

void state_of(const struct green_thread *thread, green_thread_info *info);

/* A wait in words: `why`, with the object in the place of a %, or its address behind. */
void state_describe(const char *why, long object, char *text, size_t size);

/* For reports: its name, or "a thread". */
const char *state_name(const struct green_thread *thread);

/* Words put one behind the other, as far as there is room. */
struct words {
    char *text;
    size_t size;
    size_t length;
};
void words_add(struct words *words, const char *word);

/* "waiting" */
const char *state_word(green_state state);

/* Tell the hub's hooks of a thread that was just spawned. */
void hooks_run(struct green_hub *hub, struct green_thread *thread);
