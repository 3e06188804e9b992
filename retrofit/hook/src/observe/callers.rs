//! Who called: return addresses, and in which file they are.

use crate::folder::Held;
use crate::image::Image;
use std::ops::Range;
use std::ptr::null_mut;
use std::sync::OnceLock;
use windows_sys::Win32::Foundation::HMODULE;
use windows_sys::Win32::System::Diagnostics::Debug::RtlCaptureStackBackTrace;

/// With our own ones, which are left out.
const MOST_SEEN: usize = 16;

/// The return addresses above us, the innermost first; zeros behind them.
pub(super) fn capture<const MOST: usize>() -> [usize; MOST] {
    let mut seen = [null_mut(); MOST_SEEN];
    // SAFETY: as many places as said; the last argument may be left out. The stack is not left.
    let count =
        unsafe { RtlCaptureStackBackTrace(0, MOST_SEEN as u32, seen.as_mut_ptr(), null_mut()) };
    let own = own_range();
    let above = seen[..count as usize]
        .iter()
        .map(|address| *address as usize)
        .skip_while(|address| !own.contains(address))
        .skip_while(|address| own.contains(address));
    let mut callers = [0; MOST];
    for (place, address) in callers.iter_mut().zip(above) {
        *place = address;
    }
    callers
}

/// Where we are.
fn own_range() -> &'static Range<usize> {
    static OWN: OnceLock<Range<usize>> = OnceLock::new();
    OWN.get_or_init(|| {
        let own = Held::of(own_range as fn() -> &'static Range<usize> as HMODULE);
        // SAFETY: a module begins there: the one that this is in.
        let image = own.and_then(|own| unsafe { Image::at(own.base()) });
        image.map_or(0..0, |image| image.range())
    })
}

/// A file, and how far behind the beginning of its image an address is.
pub(super) struct Place {
    pub(super) module: Vec<u16>,
    pub(super) offset: u64,
}

/// `None`: generated code.
pub(super) fn place_of(address: usize) -> Option<Place> {
    let held = Held::of(address as HMODULE)?;
    Some(Place {
        module: held.path(),
        offset: (address - held.base()) as u64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder;

    #[test]
    fn an_address_is_in_its_file() {
        let function = capture::<6> as fn() -> [usize; 6] as usize;
        let place = place_of(function).unwrap();
        let name = String::from_utf16_lossy(folder::name_of(&place.module));
        assert!(name.starts_with("graceful_close_hook"), "{name}");
        assert!(own_range().contains(&function));
        assert!(place.offset > 0 && place.offset < own_range().len() as u64);
        let stack = [0u8; 16];
        assert!(place_of(stack.as_ptr() as usize).is_none());
    }

    /// Here the caller is in the same module, so that what is left are the system's.
    #[test]
    fn our_own_frames_are_left_out() {
        assert!(!own_range().contains(&capture::<6>()[0]));
    }
}
