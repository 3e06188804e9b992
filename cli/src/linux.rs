//! Linux: LD_PRELOAD.

use crate::arguments::Request;
use crate::failure::Failure;

pub fn run(request: &Request) -> Result<i32, Failure> {
    let _ = (&request.program, &request.arguments, &request.environment);
    let _ = (request.check, request.anyway, &request.library);
    Err(Failure::Cannot("not available on this system".into()))
}
