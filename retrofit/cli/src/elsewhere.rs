//! Systems for which there is no such library.

use crate::arguments::{Observation, Request};
use crate::failure::Failure;

pub fn run(_request: &Request) -> Result<i32, Failure> {
    Err(Failure::Cannot("not available on this system".into()))
}

pub fn observe(_observation: &Observation) -> Result<i32, Failure> {
    Err(Failure::Cannot("not available on this system".into()))
}
