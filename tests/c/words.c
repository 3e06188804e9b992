/* Every number has a word, and the words are these; the library is the header's version. */
#include "check.h"

#include "graceful_close.h"

#include <limits.h>

static const struct {
    int code;
    const char *word;
} words[] = {
    { GC_GRACEFUL, "graceful" },
    { GC_TIMED_OUT, "timed out" },
    { GC_RESET, "reset" },
    { GC_LOST, "lost" },
    { GC_DRAIN_LIMIT, "drain limit" },
    { GC_STOPPED, "stopped" },
    { GC_NOT_CONNECTED, "not connected" },
    { GC_UNCERTAIN, "uncertain" },
    { GC_EVICTED, "evicted" },
    { GC_RELEASED, "released" },
    { GC_DELIVERED, "delivered" },
    { GC_CONTINUED, "continued" },
    { 100, "pending" },
    { GC_ERR_NOT_A_SOCKET, "not a socket" },
    { GC_ERR_ARGUMENT, "wrong argument" },
    { GC_ERR_RESOURCES, "out of resources" },
    { GC_ERR_STOPPED, "reaper stopped" },
    { GC_ERR_SYSTEM, "system error" },
    { GC_ERR_INTERNAL, "internal error" }
};

static const char *word_of(int code)
{
    size_t i;
    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (words[i].code == code) return words[i].word;
    return "unknown";
}

int main(void)
{
    int code;
    check_doing = "gc_outcome_name";
    for (code = -20; code <= 200; code++) {
        check_round = code;
        CHECK_TEXT(gc_outcome_name(code), word_of(code));
    }
    CHECK_TEXT(gc_outcome_name(INT_MIN), "unknown");
    CHECK_TEXT(gc_outcome_name(INT_MAX), "unknown");
    CHECK(gc_outcome_name(GC_RESET) == gc_outcome_name(GC_RESET));

    check_doing = "version";
    CHECK_TEXT(gc_version_string(), GRACEFUL_CLOSE_VERSION_STRING);
    CHECK_IS(gc_version_number(), GRACEFUL_CLOSE_VERSION_NUMBER);
    {
        unsigned int major = 99, minor = 99, patch = 99;
        CHECK_IS(sscanf(gc_version_string(), "%u.%u.%u", &major, &minor, &patch), 3);
        CHECK_IS(major * 10000 + minor * 100 + patch, gc_version_number());
    }
    return 0;
}
