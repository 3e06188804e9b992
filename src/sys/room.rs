//! Memory for one value, asked for before it is needed: `Box::new` ends the program where there
//! is none.

use std::alloc::{alloc, Layout};
use std::mem::MaybeUninit;
use std::ptr::NonNull;

/// A box without its value.
pub(crate) struct Room<T>(Box<MaybeUninit<T>>);

impl<T> Room<T> {
    /// `None`: there is no memory for it.
    pub(crate) fn ask() -> Option<Room<T>> {
        let layout = Layout::new::<T>();
        let place = match layout.size() {
            // A box of nothing has no memory.
            0 => NonNull::dangling(),
            // SAFETY: the size is not zero.
            _ => NonNull::new(unsafe { alloc(layout) }.cast::<MaybeUninit<T>>())?,
        };
        // SAFETY: from the global allocator, for this layout, as `Box` has it; the value need not
        // be there. Or dangling and aligned, for what has no size.
        Some(Room(unsafe { Box::from_raw(place.as_ptr()) }))
    }

    pub(crate) fn fill(mut self, value: T) -> Box<T> {
        self.0.write(value);
        // SAFETY: the same box; its value has just been written.
        unsafe { Box::from_raw(Box::into_raw(self.0).cast::<T>()) }
    }
}

/// A box of it, or without memory the value.
pub(crate) fn boxed<T>(value: T) -> Result<Box<T>, T> {
    match Room::ask() {
        Some(room) => Ok(room.fill(value)),
        None => Err(value),
    }
}

#[cfg(test)]
mod tests {
    use super::{boxed, Room};
    use std::rc::Rc;

    #[test]
    fn what_is_put_in_comes_out_and_is_dropped_once() {
        let value = Rc::new(7);
        let other = boxed((Rc::clone(&value), 3u8)).ok().unwrap();
        assert_eq!((*other.0, other.1), (7, 3));
        assert_eq!(Rc::strong_count(&value), 2);
        drop(other);
        assert_eq!(Rc::strong_count(&value), 1);
    }

    #[test]
    fn what_was_not_used_is_given_back() {
        drop(Room::<[u64; 40]>::ask().unwrap());
        drop(Room::<()>::ask().unwrap());
        assert_eq!(*Room::ask().unwrap().fill(()), ());
    }

    #[test]
    fn it_becomes_a_box_of_any_kind() {
        let text = String::from("text");
        let function: Box<dyn FnOnce() -> usize> = match boxed(move || text.len()) {
            Ok(function) => function,
            Err(_) => unreachable!("memory"),
        };
        assert_eq!(function(), 4);
    }
}
