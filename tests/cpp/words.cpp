// What needs no socket: time-outs from durations, error codes, what can be copied and moved.
#include "test.hpp"

#include <limits>

using namespace std::chrono;
using graceful::outcome;
using graceful::time_limit;

#define NEVER_COPIED(type) \
    static_assert(!std::is_copy_constructible<type>::value && !std::is_copy_assignable<type>::value, ""); \
    static_assert(std::is_nothrow_move_constructible<type>::value, ""); \
    static_assert(std::is_nothrow_move_assignable<type>::value, ""); \
    static_assert(std::is_nothrow_destructible<type>::value, "")
NEVER_COPIED(graceful::socket);
NEVER_COPIED(graceful::closing);
NEVER_COPIED(graceful::reaper);
static_assert(std::is_error_code_enum<outcome>::value, "");
static_assert(!std::is_convertible<graceful::result, bool>::value, "explicit only");
static_assert(!std::is_convertible<graceful::result, int>::value, "explicit only");
static_assert(!std::is_convertible<graceful::native_socket, graceful::socket>::value, "owns");
static_assert(std::is_same<graceful::native_socket, gc_socket>::value, "");

static void time_outs() {
    check_doing = "time_limit";
    CHECK_IS(time_limit(5000).ms(), 5000);
    CHECK_IS(time_limit(0).ms(), 0);
    CHECK_IS(time_limit(-1).ms(), 0);
    CHECK_IS(time_limit(4000000000LL).ms(), 4000000000.0);
    CHECK(time_limit(5000000000LL).ms() == GC_INFINITE);
    CHECK(time_limit(GC_INFINITE).ms() == GC_INFINITE && time_limit::infinite().ms() == GC_INFINITE);
    CHECK_IS(time_limit(seconds(2)).ms(), 2000);
    CHECK_IS(time_limit(nanoseconds(1)).ms(), 1);
    CHECK_IS(time_limit(nanoseconds(1000000)).ms(), 1);
    CHECK_IS(time_limit(nanoseconds(1000001)).ms(), 2);
    CHECK_IS(time_limit(microseconds(4999001)).ms(), 5000);
    CHECK_IS(time_limit(nanoseconds(4294967293000001LL)).ms(), 4294967294.0);
    CHECK_IS(time_limit(duration<int, std::ratio<1, 3>>(1)).ms(), 334);
    CHECK_IS(time_limit(duration<double>(0.25)).ms(), 250);
    CHECK_IS(time_limit(duration<float, std::milli>(0.001F)).ms(), 1);
    CHECK_IS(time_limit(duration<short, std::ratio<3600>>(short(2))).ms(), 7200000);
    CHECK_IS(time_limit(seconds(-5)).ms(), 0);
    CHECK_IS(time_limit((seconds::min)()).ms(), 0);
    CHECK(time_limit((hours::max)()).ms() == GC_INFINITE);
    CHECK(time_limit((nanoseconds::max)()).ms() == GC_INFINITE);
    CHECK(time_limit((milliseconds::max)()).ms() == GC_INFINITE);
    CHECK(time_limit(milliseconds(4294967295LL)).ms() == GC_INFINITE);
    CHECK_IS(time_limit(milliseconds(4294967294LL)).ms(), 4294967294.0);
    CHECK_IS(time_limit(duration<double>(std::numeric_limits<double>::quiet_NaN())).ms(), 0);
    CHECK(time_limit(duration<double>(std::numeric_limits<double>::infinity())).ms() == GC_INFINITE);

    check_doing = "options";
    CHECK_IS(graceful::options().timeout.ms(), 5000);
    CHECK_IS(graceful::options().idle_timeout.ms(), 0);
    CHECK_IS(graceful::options(minutes(1)).timeout.ms(), 60000);
    CHECK_IS(graceful::options(7).timeout.ms(), 7);
    graceful::options how = seconds(3);
    how.idle_timeout = microseconds(1);
    CHECK_IS(how.timeout.ms(), 3000);
    CHECK_IS(how.idle_timeout.ms(), 1);
}

static void error_codes() {
    check_doing = "error codes";
    const std::error_code none = outcome::graceful, late = outcome::timed_out;
    CHECK(!none && late);
    CHECK(late == outcome::timed_out && late != outcome::reset);
    CHECK(&late.category() == &graceful::graceful_category());
    CHECK_TEXT(graceful::graceful_category().name(), "graceful_close");
    CHECK_TEXT(late.message().c_str(), "timed out");
    CHECK_TEXT(graceful::name(outcome::not_a_socket), "not a socket");
    CHECK_TEXT(graceful::name(outcome::delivered), "delivered");
    CHECK_TEXT(graceful::name(outcome::continued), "continued");
    for (int code = -10; code < 110; code++)
        CHECK_TEXT(graceful::graceful_category().message(code).c_str(), gc_outcome_name(code));

    CHECK(late == std::errc::timed_out && !(late == std::errc::connection_reset));
    CHECK(make_error_code(outcome::reset) == std::errc::connection_reset);
    CHECK(make_error_code(outcome::lost) == std::errc::host_unreachable);
    CHECK(make_error_code(outcome::not_connected) == std::errc::not_connected);
    CHECK(make_error_code(outcome::stopped) == std::errc::operation_canceled);
    CHECK(make_error_code(outcome::evicted) == std::errc::operation_canceled);
    CHECK(make_error_code(outcome::reaper_stopped) == std::errc::operation_canceled);
    CHECK(make_error_code(outcome::not_a_socket) == std::errc::not_a_socket);
    CHECK(make_error_code(outcome::not_a_socket) == std::errc::bad_file_descriptor);
    CHECK(make_error_code(outcome::argument) == std::errc::invalid_argument);
    CHECK(make_error_code(outcome::resources) == std::errc::not_enough_memory);
    CHECK(make_error_code(outcome::resources) == std::errc::too_many_files_open);
    CHECK(make_error_code(outcome::system) == std::errc::io_error);
    CHECK(make_error_code(outcome::argument) != std::errc::bad_file_descriptor);
    // nothing says what these say
    CHECK(&make_error_code(outcome::uncertain).default_error_condition().category() ==
          &graceful::graceful_category());
    CHECK(&std::error_code(12345, graceful::graceful_category()).default_error_condition().category() ==
          &graceful::graceful_category());

    check_doing = "result";
    CHECK(graceful::result(GC_TIMED_OUT).outcome() == outcome::timed_out);
    CHECK(!graceful::result(GC_TIMED_OUT).error());
    CHECK(graceful::result(GC_ERR_RESOURCES).error() == outcome::resources);
    CHECK(graceful::result().outcome() == outcome::pending);
    CHECK(graceful::result(GC_GRACEFUL) && !graceful::result(GC_RELEASED));
    CHECK(!graceful::progress() && graceful::progress(graceful::result(GC_GRACEFUL)));
    CHECK(graceful::progress(graceful::result(GC_RESET))->outcome() == outcome::reset);
}

int main() {
    check_start();
    time_outs();
    error_codes();
    return 0;
}
