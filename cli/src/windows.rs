//! Windows: nothing here yet starts a program.

use crate::arguments::Request;
use crate::failure::Failure;

pub fn run(_request: &Request) -> Result<i32, Failure> {
    Err(Failure::Cannot("not available on this system".into()))
}
