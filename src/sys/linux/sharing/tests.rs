//! Real descriptors of this process.

use super::folder::Path;
use super::{look_for_sharing, of_one, Sharing, Socket};
use crate::clock::Time;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

fn sharing(stream: &UnixStream) -> Sharing {
    of_one(Socket(stream.as_raw_fd()), Time::NEVER)
}

fn all(streams: &[&UnixStream]) -> Vec<Option<Sharing>> {
    let sockets = streams.iter().map(|stream| Socket(stream.as_raw_fd()));
    ask(sockets.collect())
}

fn ask(sockets: Vec<Socket>) -> Vec<Option<Sharing>> {
    let mut asked: Vec<_> = sockets.into_iter().map(|socket| (socket, None)).collect();
    look_for_sharing(
        &mut asked,
        |one| Some(one.0),
        Time::NEVER,
        |one, sharing| one.1 = Some(sharing),
    );
    asked.into_iter().map(|one| one.1).collect()
}

#[test]
fn numbers_as_text() {
    let of = |number| Path::with_number(b"a", number, b"/b");
    assert_eq!(of(0).as_c_str(), c"a0/b");
    assert_eq!(of(u32::MAX).as_c_str(), c"a4294967295/b");
}

#[test]
fn a_duplicate_is_seen() {
    let (one, _other) = UnixStream::pair().unwrap();
    assert_eq!(sharing(&one), Sharing::Alone);
    let duplicate = one.try_clone().unwrap();
    assert_eq!(sharing(&one), Sharing::Shared);
    drop(duplicate);
    assert_eq!(sharing(&one), Sharing::Alone);
}

#[test]
fn a_batch_is_told_each_by_itself() {
    let (one, two) = UnixStream::pair().unwrap();
    let (three, four) = UnixStream::pair().unwrap();
    let _duplicate = three.try_clone().unwrap();
    let answers = all(&[&four, &three, &two, &one]);
    let [alone, shared] = [Sharing::Alone, Sharing::Shared].map(Some);
    assert_eq!(answers, [alone, shared, alone, alone]);
}

/// Both go, so the last one ends the connection, and the others must not.
#[test]
fn of_duplicates_in_one_batch_the_last_is_alone() {
    let (one, _other) = UnixStream::pair().unwrap();
    let two = one.try_clone().unwrap();
    let [alone, shared] = [Sharing::Alone, Sharing::Shared].map(Some);
    assert_eq!(all(&[&one, &two]), [shared, alone]);
    assert_eq!(all(&[&two, &one]), [shared, alone]);
    let _three = one.try_clone().unwrap();
    assert_eq!(all(&[&one, &two]), [shared, shared]);
}

#[test]
fn what_is_no_descriptor_cannot_be_told() {
    let answers = ask(vec![Socket(-1)]);
    assert!(matches!(answers[..], [Some(Sharing::Unknown(fault))] if fault.code == libc::EBADF));
}
