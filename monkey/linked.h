/* linked.h - what the files of the linked door share. */
#pragma once
#include <stdbool.h>

/* Is any of these groups (green/monkey.h) on? */
bool linked_group_on(unsigned groups);
