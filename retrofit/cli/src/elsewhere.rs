//! Systems for which there is no such library.

use crate::arguments::observe::Watch;
use crate::arguments::Request;
use crate::failure::Failure;

pub fn run(_request: &Request) -> Result<i32, Failure> {
    Err(Failure::Cannot("not available on this system".into()))
}

pub fn observe(_request: &Request, _watch: &Watch) -> Result<i32, Failure> {
    Err(Failure::Cannot("not available on this system".into()))
}
