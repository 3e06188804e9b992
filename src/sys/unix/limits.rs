//! Constants for ppoll(). Stopped and continued it goes on with the time that was left when it was stopped: the
//! kernel writes it to where it has read the limit from. Where it cannot write it does not go on, but fails with
//! EINTR (fs/select.c, poll_select_finish).

use libc::timespec;

/// So many limits from one power of two to the next.
const STEPS: usize = 8;
/// Two minutes are the longest.
const COUNT: usize = 15 * STEPS;

static LIMITS: [timespec; COUNT] = limits();

const fn limits() -> [timespec; COUNT] {
    const NONE: timespec = timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let mut limits = [NONE; COUNT];
    let mut at = 0;
    while at < COUNT {
        let ms = millis_at(at);
        limits[at].tv_sec = (ms / 1000) as _;
        limits[at].tv_nsec = (ms % 1000 * 1_000_000) as _;
        at += 1;
    }
    limits
}

/// 0 to 8, and from there on in steps of an eighth of the last power of two.
pub(super) const fn millis_at(at: usize) -> usize {
    match at / STEPS {
        0 => at,
        octave => (STEPS + at % STEPS) << (octave - 1),
    }
}

/// The longest limit that is not longer than so many milliseconds.
pub(super) fn place_of(ms: usize) -> usize {
    let octave = (ms / STEPS).checked_ilog2();
    let at = octave.map_or(ms, |octave| {
        let octave = octave as usize;
        octave * STEPS + (ms >> octave)
    });
    at.min(COUNT - 1)
}

/// The longest limit that is not longer than so many milliseconds.
pub(crate) fn longest_limit(ms: usize) -> &'static timespec {
    static NONE: timespec = LIMITS[0];
    LIMITS.get(place_of(ms)).unwrap_or(&NONE)
}

#[cfg(test)]
mod tests {
    use super::{millis_at, place_of, COUNT, LIMITS};

    #[test]
    fn each_limit_is_what_its_place_says() {
        for (at, limit) in LIMITS.iter().enumerate() {
            assert_eq!(place_of(millis_at(at)), at);
            let ms = limit.tv_sec as usize * 1000 + limit.tv_nsec as usize / 1_000_000;
            assert_eq!(ms, millis_at(at));
        }
        assert_eq!(LIMITS.len(), COUNT);
    }
}
