//! What the table of a run says, with nothing looked up yet.

use super::figures::Figures;
use graceful_close_retrofit::observe::{Module, Place, Table};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Paths; empty where there is none.
    pub modules: Vec<String>,
    pub sites: Vec<Site>,
    pub processes: u64,
    /// Closes at sites for which the table had no room.
    pub closes_without_site: u64,
    /// Modules for which it had none.
    pub modules_left_out: u64,
    /// With `--add-log`.
    pub logged: Option<Logged>,
}

#[derive(Clone, Debug, Default)]
pub struct Site {
    /// In the table.
    pub index: usize,
    /// The index of the site whose close came before that of a number that was not open.
    pub closed_before: Option<usize>,
    /// Which call it was: `close`, `fclose`, `exit` ...
    pub call: String,
    /// The innermost caller first.
    pub frames: Vec<Place>,
    pub peers: u64,
    /// There were more than were counted.
    pub more_peers: bool,
    pub figures: Figures,
}

/// What the log of the library says.
#[derive(Clone, Debug, Default)]
pub struct Logged {
    pub path: String,
    pub sites: Vec<LoggedSite>,
    /// Lines of the library that name no caller.
    pub without_caller: u64,
    /// Why it could not be read.
    pub failure: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub struct LoggedSite {
    /// The innermost caller first.
    pub frames: Vec<Place>,
    /// By outcome; calls that were refused are "refused".
    pub outcomes: BTreeMap<String, u64>,
    /// Of these closes, as far as the system tells.
    pub unacked_bytes: u64,
}

impl Snapshot {
    /// Its path, if it has one.
    pub fn module(&self, place: &Place) -> Option<&str> {
        let path = self.modules.get(place.module?)?;
        (!path.is_empty()).then_some(path)
    }

    pub fn of(table: &Table) -> Snapshot {
        let path = |module: &Module| {
            let bytes: Vec<u8> = module.path().collect();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        // one that a process was killed at has no call
        let sites = table.sites().filter_map(|(index, site)| {
            let peers = site.peers();
            Some(Site {
                index,
                closed_before: site.closed_before(),
                call: site.call()?.name().into(),
                frames: site.places().collect(),
                peers: peers.count as u64,
                more_peers: peers.more,
                figures: Figures::of(site),
            })
        });
        Snapshot {
            modules: table.modules().iter().map(path).collect(),
            sites: sites.collect(),
            processes: table.processes(),
            closes_without_site: table.closes_without_site(),
            modules_left_out: table.modules_left_out(),
            logged: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Snapshot;
    use crate::testing::table;
    use graceful_close_retrofit::observe::{Call, Counter, Place, Seen};

    #[test]
    fn a_table_is_read() {
        let table = table();
        table.begin();
        table.add_process();
        let module = table.module(b"/usr/sbin/a");
        let places = [
            Place {
                module,
                offset: 0x1234,
            },
            Place {
                module: None,
                offset: 0x7000,
            },
        ];
        let at = table.site_of(Call::Fclose, &places).unwrap();
        let site = table.site(at).unwrap();
        let seen = Seen {
            peer: 7,
            unread: 100,
            unacked: Some(30),
            ..Seen::default()
        };
        seen.count(site);
        site.add(Counter::BadNumber, 2);
        table.add_close_without_site();
        let snapshot = Snapshot::of(&table);
        assert_eq!((snapshot.processes, snapshot.closes_without_site), (1, 1));
        let [site] = &snapshot.sites[..] else {
            panic!("{:?}", snapshot.sites);
        };
        assert_eq!(
            (site.call.as_str(), site.peers, site.more_peers),
            ("fclose", 1, false)
        );
        assert_eq!(site.frames, places);
        assert_eq!(
            snapshot.modules[site.frames[0].module.unwrap()],
            "/usr/sbin/a"
        );
        let figures = &site.figures;
        assert_eq!(
            (figures.closes, figures.unread, figures.bad_number),
            (1, 1, 2)
        );
        assert_eq!(
            (figures.unread_bytes, figures.unread_unacked_bytes),
            (100, 30)
        );
    }
}
