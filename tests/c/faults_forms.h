/* How linux_faults.c closes: each way that the library offers. */
#ifndef FAULTS_FORMS_INCLUDED
#define FAULTS_FORMS_INCLUDED

enum { PLAIN, WITH, MANY, STEPS, REAPER, FRESH, ASYNC, FINISH, CLOSESOCKET, ABORT, AMONG };

/* on a program's own thread, and then what is left of it in the background */
#define TIME_MS 2U

static const struct form {
    const char *name;
    int way;
    unsigned int flags, fallback, if_shared, peer_first_ms, has_taker;
} forms[] = {
    { "gc_close", PLAIN, 0, 0, 0, 0, 0 },
    { "gc_close_with", WITH, 0, 0, 0, 0, 0 },
    { "GC_THEN_ABORT", WITH, 0, GC_THEN_ABORT, 0, 0, 0 },
    { "GC_THEN_KEEP", WITH, 0, GC_THEN_KEEP, 0, 0, 0 },
    { "GC_THEN_BACKGROUND", WITH, 0, GC_THEN_BACKGROUND, 0, 0, 0 },
    { "GC_SHARED_RELEASE", WITH, 0, 0, GC_SHARED_RELEASE, 0, 0 },
    { "GC_UNTIL_ACKED", WITH, GC_UNTIL_ACKED, 0, 0, 0, 0 },
    { "peer_first_ms, on_data", WITH, 0, 0, 0, 1, 1 },
    { "gc_close_many", MANY, 0, 0, 0, 0, 0 },
    { "gc_close_many, GC_SHARED_RELEASE", MANY, 0, 0, GC_SHARED_RELEASE, 0, 0 },
    { "gc_close_many, between two others", AMONG, 0, 0, 0, 0, 0 },
    { "gc_close_many, between two others, GC_THEN_ABORT", AMONG, 0, GC_THEN_ABORT, 0, 0, 0 },
    { "gc_closing", STEPS, 0, 0, 0, 0, 0 },
    { "gc_closing, GC_THEN_ABORT", STEPS, 0, GC_THEN_ABORT, 0, 0, 0 },
    { "gc_reaper_close", REAPER, 0, 0, 0, 0, 0 },
    { "gc_reaper_close, GC_DEFERRED", REAPER, GC_DEFERRED, 0, 0, 0, 0 },
    { "gc_reaper_close, GC_THEN_ABORT", REAPER, 0, GC_THEN_ABORT, 0, 0, 0 },
    { "gc_reaper_close, GC_SHARED_RELEASE", REAPER, 0, 0, GC_SHARED_RELEASE, 0, 0 },
    { "gc_reaper_new and gc_reaper_free", FRESH, 0, 0, 0, 0, 0 },
    { "gc_close_async_with", ASYNC, 0, 0, 0, 0, 0 },
    { "gc_finish", FINISH, 0, 0, 0, 0, 0 },
    { "gc_closesocket", CLOSESOCKET, 0, 0, GC_SHARED_RELEASE, 0, 0 },
    { "gc_abort", ABORT, 0, GC_THEN_ABORT, 0, 0, 0 }
};
#define FORMS ((int)(sizeof(forms) / sizeof(forms[0])))

static gc_reaper *reaper;

/* somebody who is told of an end, whatever it is */
static struct {
    volatile long calls;
    gc_report report;
} end;

static void take_end(void *user, gc_socket sock, const gc_report *report)
{
    CHECK(user == (void *)&end);
    (void)sock;
    end.report = *report;
    __sync_fetch_and_add(&end.calls, 1);
}

static int take_data(void *user, const void *data, size_t size)
{
    CHECK(user == (void *)&end && data != NULL && size > 0);
    return 0;
}

static void pause_us(long us)
{
    struct timespec pause;
    pause.tv_sec = 0;
    pause.tv_nsec = us * 1000;
    nanosleep(&pause, NULL);
}

static int in_steps(check_socket sock, const gc_options *options, gc_report *report)
{
    double start = check_now();
    gc_closing *closing = NULL;
    int code = gc_closing_new(sock, options, &closing);
    if (code != 0) return code;
    while ((code = gc_closing_step(closing)) == GC_PENDING && check_now() - start < 1000) pause_us(300);
    if (code >= 0) CHECK_IS(gc_closing_report(closing, report), 0);
    gc_closing_free(closing);
    return code;
}

static int await_end(gc_report *report)
{
    double start = check_now();
    while (end.calls == 0 && check_now() - start < 3000) pause_us(300);
    CHECK_IS(end.calls, 1);
    *report = end.report;
    return report->outcome;
}

static int on_reaper(gc_reaper *on, check_socket sock, const gc_options *options, gc_report *report)
{
    int code = gc_reaper_close(on, sock, options, take_end, &end);
    return code == 0 ? await_end(report) : code;
}

static int on_a_fresh_one(check_socket sock, const gc_options *options, gc_report *report)
{
    gc_reaper *fresh = NULL;
    int code = gc_reaper_new(NULL, &fresh);
    if (code != 0) return code;
    code = on_reaper(fresh, sock, options, report);
    CHECK_IS(gc_reaper_free(fresh, 3000), 0);
    return code;
}

static int by_closesocket(check_socket sock)
{
    int code = gc_closesocket(sock);
    CHECK(code == 0 || code == -1);
    return code == 0 ? GC_UNCERTAIN : GC_ERR_SYSTEM; /* it does not tell how it ended */
}

/* one whose peer has finished: closed and delivered, or refused and as good as before */
static void check_other(check_socket sock, check_socket peer, int code, const gc_report *report)
{
    char room[8];
    int is_refused = code < 0 || report->outcome < 0;
    CHECK_BETWEEN(report->outcome, GC_ERR_SYSTEM, GC_EVICTED);
    CHECK_IS(fcntl(sock, F_GETFD) != -1, is_refused);
    if (is_refused) {
        CHECK_IS(check_send(sock, "!", 1), 1);
        check_close(sock);
    }
    CHECK_IS(check_receive(peer, room, 1), 1);
    if (!is_refused && report->outcome == GC_GRACEFUL) CHECK_IS(check_receive(peer, room, 1), 0);
    check_close(peer);
}

static int among_others(check_socket sock, const gc_options *options, gc_report *report)
{
    check_socket socks[3], peers[3];
    gc_report reports[3];
    int code, i;
    is_armed = 0;
    for (i = 0; i < 3; i++) reports[i] = *report;
    for (i = 0; i < 3; i += 2) {
        house_pair(&home, &socks[i], &peers[i]);
        CHECK_IS(check_send(socks[i], ".", 1), 1);
        check_half_close(peers[i]);
    }
    socks[1] = sock;
    errno = 77;
    is_armed = 1;
    code = gc_close_many(socks, 3, options, reports);
    is_armed = 0;
    for (i = 0; i < 3; i += 2) check_other(socks[i], peers[i], code, &reports[i]);
    *report = reports[1];
    return code < 0 ? code : report->outcome;
}

static int close_by(const struct form *form, check_socket sock, gc_report *report)
{
    gc_options options = GC_OPTIONS_INIT;
    int code;
    options.timeout_ms = TIME_MS;
    options.background_ms = TIME_MS;
    options.flags = form->flags;
    options.fallback = form->fallback;
    options.if_shared = form->if_shared;
    options.peer_first_ms = form->peer_first_ms;
    options.user = &end;
    if (form->has_taker) options.on_data = take_data;
    end.calls = 0;
    switch (form->way) {
    case PLAIN: return gc_close(sock, TIME_MS);
    case MANY:
        code = gc_close_many(&sock, 1, &options, report);
        return code < 0 ? code : report->outcome;
    case AMONG: return among_others(sock, &options, report);
    case STEPS: return in_steps(sock, &options, report);
    case REAPER: return on_reaper(reaper, sock, &options, report);
    case FRESH: return on_a_fresh_one(sock, &options, report);
    case ASYNC:
        code = gc_close_async_with(sock, &options, take_end, &end);
        return code == 0 ? await_end(report) : code;
    case FINISH: return gc_finish(sock, TIME_MS);
    case CLOSESOCKET: return by_closesocket(sock);
    case ABORT:
        code = gc_abort(sock);
        return code == 0 ? GC_UNCERTAIN : code;
    default: return gc_close_with(sock, &options, report);
    }
}

#endif /* FAULTS_FORMS_INCLUDED */
