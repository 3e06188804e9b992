// close_many() when the library tells of a bug of its own: no report is lost, and every owner knows what it owns.
#include "graceful_close.h"
#include <stddef.h>

// As the library would: the first ended before, the second was under way, the third is no socket, the fourth
// is closed, though how is not known.
static int GRACEFUL_CLOSE_CALLBACK fails(const gc_socket *, size_t count, const gc_options *, gc_report *told) {
    static const int outcomes[] = { GC_GRACEFUL, GC_ERR_INTERNAL, GC_ERR_NOT_A_SOCKET, GC_ERR_INTERNAL };
    static const int closed[] = { 1, 0, 0, 1 };
    for (size_t i = 0; i < count && i < 4; i++) {
        told[i].outcome = outcomes[i];
        told[i].closed = closed[i];
        told[i].drained_bytes = i + 1;
    }
    return GC_ERR_INTERNAL;
}
#define gc_close_many fails
#include "test.hpp"

#include <vector>

int main() {
    check_start();
    connection all[4];
    std::vector<graceful::socket> owners;
    for (int i = 0; i < 4; i++) owners.emplace_back(all[i].ours);
    const std::vector<graceful::result> ended = graceful::close_many(owners);
    CHECK(ended[0].outcome() == graceful::outcome::graceful && !owners[0]);
    CHECK(ended[1].error() == graceful::outcome::internal && owners[1]);
    CHECK(ended[2].outcome() == graceful::outcome::not_a_socket && !owners[2]);
    CHECK(ended[3].outcome() == graceful::outcome::internal && ended[3].closed() && !owners[3]);
    for (size_t i = 0; i < 4; i++) CHECK_IS(ended[i].report().drained_bytes, i + 1);
    owners[1].release();
    return 0;
}
