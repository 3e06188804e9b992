//! What only the inside of it shows. The rest is in tests/many.rs.

use super::{Many, WATCHED};
use crate::machine::End;
use crate::options::{IfShared, Options};
use crate::outcome::Outcome;
use crate::sys::{disown, OwnedSocket, Socket};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

fn pairs(count: usize) -> (Vec<OwnedSocket>, Vec<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let pair = |_| {
        let peer = TcpStream::connect(address).unwrap();
        (OwnedSocket::from(listener.accept().unwrap().0), peer)
    };
    (0..count).map(pair).unzip()
}

/// All of its memory is had before anything is closed.
#[test]
fn those_that_send_are_not_more_than_there_is_room_for() {
    let (ours, peers) = pairs(3 * WATCHED);
    let sockets: Vec<_> = ours.iter().map(Socket::of).collect();
    let mut many = Many::new(sockets.into_iter(), &Options::new()).unwrap();
    ours.into_iter().for_each(disown);
    let room = |many: &Many| (many.watched.capacity(), many.entries.capacity());
    let before = room(&many);
    for mut peer in &peers {
        peer.write_all(b"late words").unwrap();
    }
    let ending = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        drop(peers);
    });
    many.run(&mut None);
    ending.join().unwrap();
    assert_eq!(room(&many), before);
    for one in many.all() {
        assert_eq!(one.end(), Some(End::Outcome(Outcome::Graceful)));
    }
}

/// What a search for each of them would find, too, but only after as many searches.
#[test]
fn one_look_tells_all_of_them_who_else_holds_them() {
    let (ours, _peers) = pairs(3);
    let options = Options::new().if_shared(IfShared::Release);
    let mut many = Many::new(ours.iter().map(Socket::of), &options).unwrap();
    let asking = |many: &Many| {
        let all = many.all.iter();
        all.filter(|one| one.machine.asks_for_sharing()).count()
    };
    assert_eq!(asking(&many), 3);
    many.look_for_sharing();
    assert_eq!(asking(&many), 0);
}
