//! `graceful-close observe`: the table, and the report that is made from it.

use super::find;
use super::process::Process;
use crate::arguments::{Observation, Request};
use crate::failure::Failure;
use crate::observe::report::Run;
use crate::observe::write_report;
use graceful_close_hook::table_file;
use graceful_close_retrofit::observe::Table;
use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{env, fs, io};

/// Tells the hook in each process of the program where the table is.
const VARIABLE: &str = "GRACEFUL_CLOSE_OBSERVE";

/// The table's file, in a folder of its own. Processes of the program that outlive this command keep it.
pub struct TableFile {
    folder: PathBuf,
    table: &'static Table,
}

impl TableFile {
    /// The program inherits its path. This command runs one thread.
    pub fn make() -> Result<TableFile, Failure> {
        let folder = own_folder().map_err(|error| cannot(&env::temp_dir(), &error))?;
        let path = folder.join("table");
        let table = table_file::create(&path).map_err(|error| cannot(&path, &error))?;
        env::set_var(VARIABLE, &path);
        Ok(TableFile { folder, table })
    }
}

/// One that has not been there.
fn own_folder() -> io::Result<PathBuf> {
    let mut number = 0;
    loop {
        let name = format!("graceful-close-observe-{}-{number}", std::process::id());
        let folder = env::temp_dir().join(name);
        match fs::create_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            result => return result.map(|()| folder),
        }
    }
}

fn cannot(path: &Path, error: &io::Error) -> Failure {
    Failure::Cannot(format!("{}: {error}", path.display()))
}

impl Drop for TableFile {
    fn drop(&mut self) {
        // SAFETY: nobody asks the table after this: it is borrowed through `self` alone.
        unsafe { table_file::close(self.table) };
        // a file that is still mapped elsewhere stays, and so does its folder
        let _ = fs::remove_file(self.folder.join("table"));
        let _ = fs::remove_dir(&self.folder);
    }
}

/// The program's exit code.
pub fn watch(
    process: &Process,
    observation: &Observation,
    file: &TableFile,
) -> Result<i32, Failure> {
    let begin = Instant::now();
    loop {
        let ended = process.wait_for(observation.every)?;
        let run = run(&observation.request, begin, ended.is_none());
        let written = write_report(file.table, run, &observation.outputs);
        match ended {
            Some(code) => return written.map(|()| code),
            // there may be room or a right later
            None => drop(written.map_err(|failure| eprintln!("graceful-close: {failure}"))),
        }
    }
}

fn run(request: &Request, begin: Instant, unfinished: bool) -> Run {
    let words = [&request.program].into_iter().chain(&request.arguments);
    Run {
        program: words
            .map(|word| word.to_string_lossy().into_owned())
            .collect(),
        milliseconds: begin.elapsed().as_millis() as u64,
        file: find::program(&request.program).unwrap_or_default(),
        unfinished,
        ..Run::default()
    }
}
