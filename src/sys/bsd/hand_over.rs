//! Handing over.

use crate::connection::{Ends, Fault, Mark};
use crate::sys::hand_over::HandOver;
use crate::sys::unix::{addresses, number, signals, Socket};

impl HandOver for Socket {
    fn check(self) -> Result<Mark, Fault> {
        self.kind_by_type()?;
        Ok(self.ends_mark())
    }

    fn ends(self) -> Ends {
        addresses::ends(self)
    }

    fn keep_from_children(self) {
        number::keep_from_children(self);
    }

    fn end_signals(self) -> Result<(), Fault> {
        signals::end_signals(self)
    }

    fn out_of_the_way(self) -> Socket {
        number::out_of_the_way(self)
    }

    fn higher_number(self) -> Option<Socket> {
        number::higher_number(self)
    }

    fn give_up_number(self) {
        number::give_up_number(self);
    }
}
