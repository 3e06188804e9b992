//! The file of the table of `graceful-close observe`, mapped.

use graceful_close_retrofit::observe::Table;
use std::fs::OpenOptions;
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::AsRawHandle;
use std::path::Path;
use std::ptr::null;
use windows_sys::Win32::Foundation::CloseHandle;
use windows_sys::Win32::Storage::FileSystem::{
    FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE,
};
use windows_sys::Win32::System::Memory::{
    CreateFileMappingW, MapViewOfFile, UnmapViewOfFile, FILE_MAP_READ, FILE_MAP_WRITE,
    MEMORY_MAPPED_VIEW_ADDRESS, PAGE_READWRITE,
};

/// A new one, for the command: nobody else has it yet.
///
/// # Errors
/// The file cannot be made, or is there already.
pub fn create(path: &Path) -> io::Result<&'static Table> {
    let file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.set_len(Table::SIZE as u64)?;
    drop(file);
    let table = map(path)?;
    table.begin();
    Ok(table)
}

/// One that the command has made. It stays mapped to the end of the process, and no handle of it stays
/// open.
///
/// # Errors
/// The file cannot be opened, or is not that of a table of this version.
pub fn open(path: &Path) -> io::Result<&'static Table> {
    let table = map(path)?;
    match table.is_one() {
        true => Ok(table),
        false => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Ends the mapping.
///
/// # Safety
/// The table came from [`create`] or [`open`], once for each, and nobody looks into it any more.
pub unsafe fn close(table: &'static Table) {
    let view = MEMORY_MAPPED_VIEW_ADDRESS {
        Value: std::ptr::from_ref(table).cast_mut().cast(),
    };
    // SAFETY: where a view begins, as the caller promises.
    unsafe { UnmapViewOfFile(view) };
}

fn map(path: &Path) -> io::Result<&'static Table> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
        .open(path)?;
    if file.metadata()?.len() != Table::SIZE as u64 {
        return Err(io::ErrorKind::InvalidData.into());
    }
    // SAFETY: an open file, mapped as it is, without a name; a view of all of it: as many bytes as the
    // table has, aligned as a page is, mapped to the end. The table consists of atomics, for which every
    // number is a value, and others write by them alone.
    unsafe {
        let mapping =
            CreateFileMappingW(file.as_raw_handle(), null(), PAGE_READWRITE, 0, 0, null());
        if mapping.is_null() {
            return Err(io::Error::last_os_error());
        }
        let view = MapViewOfFile(mapping, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, Table::SIZE);
        let error = io::Error::last_os_error();
        CloseHandle(mapping);
        view.Value.cast::<Table>().as_ref().ok_or(error)
    }
}
