//! `--follow`: the connections that are looked at after their close, and what became of each.

use super::diagnosis::{Ended, Ends, State};
use graceful_close_retrofit::observe::{Counter, Site, Table, Trail};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// So many are looked at at a time, and so many messages are kept.
const MOST: usize = 16_384;
/// From one look to the next: it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(800);
/// The message that tells how a connection ended comes a moment later than its end.
const LOOKS_FOR_MESSAGE: u32 = 4;
/// And before the library has noted the connection.
const KEPT: Duration = Duration::from_millis(500);

pub struct Followed<'t> {
    table: &'t Table,
    /// Each is looked at for so long.
    limit: Duration,
    waiting: Vec<Waiting>,
    /// Of connections that have ended: one of them may be noted as closed yet.
    ended: HashMap<Ends, (Ended, Instant)>,
}

struct Waiting {
    trail: Trail,
    begin: Instant,
    next: Instant,
    pause: Duration,
    ended: Option<Ended>,
    /// So often it was gone.
    gone: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// With so many bytes of ours not acknowledged.
    Reset(u64),
    Arrived,
    StillOpen,
    Untold,
}

impl<'t> Followed<'t> {
    pub fn new(table: &'t Table, limit: Duration) -> Followed<'t> {
        Followed {
            table,
            limit,
            waiting: Vec::new(),
            ended: HashMap::new(),
        }
    }

    pub fn is_done(&self) -> bool {
        self.waiting.is_empty()
    }

    /// A message of the kernel.
    pub fn ended(&mut self, ends: Ends, ended: Ended, now: Instant) {
        if self.ended.len() < MOST {
            self.ended.insert(ends, (ended, now));
        }
    }

    /// What the library has noted since, and those whose time has come. `is_last`: nothing is looked at again.
    pub fn look(
        &mut self,
        now: Instant,
        is_last: bool,
        mut state: impl FnMut(&Trail) -> Option<State>,
    ) {
        self.take_new(now);
        self.deliver();
        let (table, limit) = (self.table, self.limit);
        self.waiting.retain_mut(|waiting| {
            if !is_last && now < waiting.next {
                return true;
            }
            let is_last = is_last || now.duration_since(waiting.begin) >= limit;
            let fate = waiting.fate(state(&waiting.trail), is_last);
            if let (Some(fate), Some(site)) = (fate, table.site(waiting.trail.site as usize)) {
                fate.count(site);
            }
            waiting.next = now + waiting.pause;
            waiting.pause = (waiting.pause * 2).min(LONGEST_PAUSE);
            fate.is_none()
        });
        self.ended
            .retain(|_, (_, came)| now.duration_since(*came) < KEPT);
    }

    fn take_new(&mut self, now: Instant) {
        let (table, waiting) = (self.table, &mut self.waiting);
        table.trails().take_all(|trail| {
            if waiting.len() < MOST {
                waiting.push(Waiting::new(trail, now));
            } else if let Some(site) = table.site(trail.site as usize) {
                Fate::Untold.count(site);
            }
        });
    }

    /// Messages to those that they are of.
    fn deliver(&mut self) {
        if self.ended.is_empty() {
            return;
        }
        for waiting in &mut self.waiting {
            let ends = Ends {
                own: waiting.trail.own,
                peer: waiting.trail.peer,
            };
            if let Some((ended, _)) = self.ended.remove(&ends) {
                waiting.ended = Some(ended);
            }
        }
    }
}

impl Waiting {
    fn new(trail: Trail, now: Instant) -> Waiting {
        Waiting {
            trail,
            begin: now,
            next: now,
            pause: FIRST_PAUSE,
            ended: None,
            gone: 0,
        }
    }

    /// `None`: it is not known yet.
    fn fate(&mut self, state: Option<State>, is_last: bool) -> Option<Fate> {
        match state {
            Some(State::Finished) => return Some(Fate::Arrived),
            Some(State::Gone) => {
                self.gone += 1;
                if self.ended.is_some() || is_last || self.gone >= LOOKS_FOR_MESSAGE {
                    return Some(self.fate_of_gone());
                }
                self.pause = FIRST_PAUSE;
            }
            Some(State::Ending) if is_last => return Some(Fate::StillOpen),
            _ if is_last => return Some(Fate::Untold),
            _ => {}
        }
        None
    }

    /// What has ended otherwise than by a reset waits in TIME_WAIT for longer than is looked; or
    /// the peer's FIN had come just before the close, after the library's look.
    fn fate_of_gone(&self) -> Fate {
        let trail = &self.trail;
        match self.ended {
            Some(ended) if ended.unacked == 0 && ended.unread > 0 && !trail.unread => Fate::Arrived,
            Some(ended) => {
                // a close with unread bytes sends no FIN
                let fin = u64::from(!trail.unread || trail.shut_send);
                Fate::Reset(u64::from(ended.unacked).saturating_sub(fin))
            }
            None if trail.unread => Fate::Reset(trail.unacked),
            None => Fate::Untold,
        }
    }
}

impl Fate {
    fn count(self, site: &Site) {
        match self {
            Fate::Reset(bytes) => {
                site.add(Counter::ResetAfter, 1);
                if bytes > 0 {
                    site.add(Counter::Lost, 1);
                    site.add(Counter::LostBytes, bytes);
                }
            }
            Fate::Arrived => site.add(Counter::Arrived, 1),
            Fate::StillOpen => site.add(Counter::StillOpen, 1),
            Fate::Untold => site.add(Counter::FollowUntold, 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::table;
    use graceful_close_retrofit::observe::Call;

    const LIMIT: Duration = Duration::from_secs(10);
    const MS: Duration = Duration::from_millis(1);

    fn figures(site: &Site) -> [u64; 6] {
        [
            Counter::ResetAfter,
            Counter::Lost,
            Counter::LostBytes,
            Counter::Arrived,
            Counter::StillOpen,
            Counter::FollowUntold,
        ]
        .map(|counter| site.count(counter))
    }

    /// One connection: what the library noted, the states of the looks (the last one stays), the message.
    fn fate(trail: Trail, states: &[State], ended: Option<Ended>) -> [u64; 6] {
        let table = table();
        let at = table.site_of(Call::Close, &[]).unwrap();
        let trail = Trail {
            site: at as u32,
            ..trail
        };
        let mut followed = Followed::new(&table, LIMIT);
        let mut now = Instant::now();
        if let Some(ended) = ended {
            let (own, peer) = (trail.own, trail.peer);
            followed.ended(Ends { own, peer }, ended, now);
        }
        assert!(table.trails().put(&trail));
        let mut looks = 0;
        for _ in 0..300 {
            followed.look(now, false, |_| {
                looks += 1;
                states.get(looks - 1).or(states.last()).copied()
            });
            now += 50 * MS;
        }
        assert!(followed.is_done() && looks < 30, "{looks} looks");
        figures(table.site(at).unwrap())
    }

    #[test]
    fn what_became_of_a_connection() {
        use State::*;
        let late = || Trail {
            unacked: 900,
            ..Trail::default()
        };
        let unread = || Trail {
            unread: true,
            unacked: 7,
            ..Trail::default()
        };
        let ended = |unread, unacked| Some(Ended { unread, unacked });
        type Case = (Trail, &'static [State], Option<Ended>, [u64; 6]);
        let cases: [Case; 11] = [
            (
                late(),
                &[Ending, Ending, Finished],
                None,
                [0, 0, 0, 1, 0, 0],
            ),
            (late(), &[Ending, Gone], ended(0, 501), [1, 1, 500, 0, 0, 0]),
            // the FIN alone was not acknowledged, or nothing
            (late(), &[Gone], ended(0, 1), [1, 0, 0, 0, 0, 0]),
            (late(), &[Gone], ended(0, 0), [1, 0, 0, 0, 0, 0]),
            // the peer's FIN came between the look and the close
            (late(), &[Gone], ended(1, 0), [0, 0, 0, 1, 0, 0]),
            // no FIN of ours was sent; then one was
            (unread(), &[Gone], ended(3, 7), [1, 1, 7, 0, 0, 0]),
            (
                Trail {
                    shut_send: true,
                    ..unread()
                },
                &[Gone],
                ended(3, 8),
                [1, 1, 7, 0, 0, 0],
            ),
            // no message
            (unread(), &[Gone], None, [1, 1, 7, 0, 0, 0]),
            (late(), &[Gone], None, [0, 0, 0, 0, 0, 1]),
            // no end
            (late(), &[Ending], ended(0, 0), [0, 0, 0, 0, 1, 0]),
            (late(), &[Open], None, [0, 0, 0, 0, 0, 1]),
        ];
        for (at, (trail, states, ended, expected)) in cases.into_iter().enumerate() {
            assert_eq!(fate(trail, states, ended), expected, "case {at}");
        }
    }

    #[test]
    fn what_has_no_room_is_told() {
        let table = table();
        let at = table.site_of(Call::Close, &[]).unwrap();
        let mut followed = Followed::new(&table, LIMIT);
        let now = Instant::now();
        for _ in 0..MOST + 5 {
            let trail = Trail {
                site: at as u32,
                ..Trail::default()
            };
            while !table.trails().put(&trail) {
                followed.look(now, false, |_| Some(State::Ending));
            }
        }
        followed.look(now, true, |_| Some(State::Ending));
        let [.., still_open, untold] = figures(table.site(at).unwrap());
        assert_eq!((still_open, untold), (MOST as u64, 5));
        assert!(followed.is_done());
    }

    #[test]
    fn messages_that_nobody_waits_for_are_dropped() {
        let table = table();
        let mut followed = Followed::new(&table, LIMIT);
        let now = Instant::now();
        for number in 0..MOST + 5 {
            let end = ([0; 16], number as u16);
            let peer = ([(number >> 16) as u8; 16], 1);
            followed.ended(Ends { own: end, peer }, Ended::default(), now);
        }
        assert_eq!(followed.ended.len(), MOST);
        followed.look(now + KEPT, false, |_| None);
        assert!(followed.ended.is_empty());
    }
}
