/* identity.h - what a thread asks about itself and others by thread id. */
#pragma once
#include "calls.h"

call_fn call_gettid, call_set_tid_address, call_set_robust_list, call_get_robust_list, call_rseq;
call_fn call_prctl, call_arch_prctl, call_sched, call_priority, call_sched_yield;
