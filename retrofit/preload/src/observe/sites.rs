//! The sites of this process, in the table.

use super::addresses::Addresses;
use super::{mapping, objects};
use graceful_close_retrofit::observe::{Cache, Call, Site, Table};

/// Of return addresses to sites.
static CACHE: Cache = Cache::new();

pub fn site(call: Call, addresses: &Addresses) -> Option<(&'static Table, &'static Site)> {
    let table = mapping::table()?;
    let (known, stamp) = (addresses.known(), addresses.stamp());
    let site = CACHE.site(table, call, stamp, known, |address| {
        objects::place(table, address)
    })?;
    Some((table, site))
}
