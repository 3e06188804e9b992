//! `graceful-close run -- PROGRAM`: graceful closes for a program that is not rebuilt.

fn main() {}
