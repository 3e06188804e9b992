//! With real compilers. What is not installed is skipped, with a word.

use super::{look_up, Folders, Function, Known, Source};
use crate::testing::skipped;
use object::{Object, ObjectSegment, ObjectSymbol};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Line 7 has the call; line 8 is the function that it is inlined into.
const C: &str = r#"
#define MARK(name) __asm__ volatile(".globl " name "\n" name ":")
__attribute__((noinline)) int leaf(int x) { __asm__ volatile(""); return x + 1; }
static __attribute__((noinline)) int hidden(int x) { int r = leaf(x); MARK("in_hidden"); return r + 2; }

static inline __attribute__((always_inline))
int inlined(int x) { int r = leaf(x); MARK("in_inlined"); return r + 2; }
__attribute__((noinline)) int outer(int x) { return inlined(x) * 3; }

int main(int argc, char **argv) { (void)argv; return outer(argc) + hidden(argc); }
"#;

const CPP: &str = r#"
namespace net {
struct Server { int close_connection(int x); };
__attribute__((noinline)) int leaf(int x) { __asm__ volatile(""); return x + 1; }
__attribute__((noinline, noclone))
int Server::close_connection(int x) { int r = leaf(x); __asm__ volatile(".globl in_method\nin_method:"); return r + 2; }
}
int main(int argc, char **) { net::Server server; return server.close_connection(argc); }
"#;

const RUST: &str = r#"
mod net {
    pub struct Server;
    #[inline(never)] pub fn leaf(x: i32) -> i32 { std::hint::black_box(x) }
    impl Server {
        #[inline(never)]
        pub fn finish(&self, x: i32) -> i32 { let r = leaf(x); unsafe { std::arch::asm!(".globl in_method", "in_method:") }; r + 2 }
    }
}
fn main() { std::process::exit(net::Server.finish(1)); }
"#;

/// As a linker of Microsoft links it: no runtime, so nothing of a system is needed.
const RUST_MSVC: &str = r#"
#![no_std]
#![no_main]
#[panic_handler] fn panic(_: &core::panic::PanicInfo) -> ! { loop {} }
#[inline(never)] fn leaf(x: i32) -> i32 { core::hint::black_box(x) }
#[inline(never)] fn finish(x: i32) -> i32 {
    let r = leaf(x); core::hint::black_box(r + 2)
}
#[no_mangle] pub extern "C" fn start() -> i32 { core::hint::black_box(finish(1)) + 1 }
"#;

struct Lab(PathBuf);

impl Lab {
    fn new(name: &str) -> Lab {
        let folder = std::env::temp_dir().join(format!("symbols-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Lab(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn folders(&self) -> Folders {
        Folders {
            debug: vec![self.path("debug")],
            debuginfod: Some(self.path("cache")),
        }
    }

    /// Whether the tool is there; it must not fail.
    fn run(&self, line: &str) -> bool {
        let mut words = line.split_whitespace();
        let tool = words.next().unwrap();
        let mut command = Command::new(tool);
        let said = match command.args(words).current_dir(&self.0).output() {
            Ok(said) => said,
            Err(error) => {
                skipped(tool, &error.to_string());
                return false;
            }
        };
        let errors = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success(), "{line}: {errors}");
        true
    }

    fn compile(&self, name: &str, text: &str, line: &str) -> bool {
        fs::write(self.path(name), text).unwrap();
        self.run(line)
    }

    fn look_up(&self, module: &str, offset: u64) -> Known {
        look_up(
            &self.path(module),
            &BTreeSet::from([offset]),
            &self.folders(),
        )
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The offset of a symbol, as the table has it.
fn offset(path: &Path, name: &str) -> u64 {
    let data = fs::read(path).unwrap();
    let file = object::File::parse(&*data).unwrap();
    let is_it = |symbol: &object::Symbol| symbol.name() == Ok(name);
    let address = file.symbols().find(is_it).expect(name).address();
    if file.relative_address_base() != 0 {
        return address - file.relative_address_base();
    }
    let in_segment = |segment: object::Segment| {
        let within = address.checked_sub(segment.address())?;
        (within < segment.size()).then(|| segment.file_range().0 + within)
    };
    file.segments().find_map(in_segment).expect("its segment")
}

fn only(known: &Known) -> Vec<(&str, Option<u32>, bool)> {
    let functions = known
        .functions
        .values()
        .next()
        .map_or(&[][..], Vec::as_slice);
    functions
        .iter()
        .map(|f: &Function| (f.name.as_str(), f.line, f.inlined))
        .collect()
}

const BOTH: [(&str, Option<u32>, bool); 2] =
    [("inlined", Some(7), true), ("outer", Some(8), false)];

#[test]
fn lines_and_inlined_functions_of_elf() {
    for flags in [
        "-g",
        "-g -no-pie",
        "-g -gz",
        "-g -gdwarf-4",
        "-g -gsplit-dwarf",
    ] {
        let lab = Lab::new("elf");
        if !lab.compile("a.c", C, &format!("gcc -O2 {flags} a.c -o a")) {
            return;
        }
        let known = lab.look_up("a", offset(&lab.path("a"), "in_inlined"));
        assert_eq!(only(&known), BOTH, "{flags}");
        let file = known.functions.values().next().unwrap()[0].file.clone();
        assert!(file.unwrap().ends_with("a.c"), "{flags}");
        assert_eq!(
            known.source,
            Source::Lines {
                file: lab.path("a")
            }
        );
    }
}

#[test]
fn a_stripped_library_has_names_of_what_it_exports_alone() {
    let lab = Lab::new("stripped");
    if !lab.compile("a.c", C, "gcc -O2 -shared -fPIC -Wl,--build-id a.c -o a.so") {
        return;
    }
    let places = ["in_inlined", "in_hidden"].map(|name| offset(&lab.path("a.so"), name));
    lab.run("strip -s a.so");
    let known = lab.look_up("a.so", places[0]);
    assert_eq!(only(&known), [("outer", None, false)]);
    let Source::Names { build_id: Some(id) } = known.source else {
        panic!("{:?}", known.source);
    };
    assert!(id.len() >= 16);
    // the nearest exported name would be a wrong one
    let known = lab.look_up("a.so", places[1]);
    assert_eq!(only(&known), []);
    assert_eq!(known.source, Source::Nothing { build_id: Some(id) });
}

#[test]
fn debug_files_by_build_id() {
    let lab = Lab::new("build-id");
    if !lab.compile("a.c", C, "gcc -O2 -g -Wl,--build-id a.c -o a") {
        return;
    }
    let place = offset(&lab.path("a"), "in_hidden");
    lab.run("objcopy --only-keep-debug a a.debug");
    lab.run("strip -s a");
    let Source::Nothing { build_id: Some(id) } = lab.look_up("a", place).source else {
        panic!("it is stripped");
    };
    let folder = lab.path("debug").join(".build-id").join(&id[..2]);
    let downloaded = lab.path("cache").join(&id);
    for file in [
        folder.join(format!("{}.debug", &id[2..])),
        downloaded.join("debuginfo"),
    ] {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::copy(lab.path("a.debug"), &file).unwrap();
        let known = lab.look_up("a", place);
        assert_eq!(only(&known), [("hidden", Some(4), false)]);
        assert_eq!(known.source, Source::Lines { file: file.clone() });
        fs::remove_file(file).unwrap();
    }
    // that of another build is not taken
    lab.run("gcc -O1 -g -Wl,--build-id a.c -o other");
    fs::copy(
        lab.path("other"),
        folder.join(format!("{}.debug", &id[2..])),
    )
    .unwrap();
    assert_eq!(only(&lab.look_up("a", place)), []);
}

#[test]
fn debug_files_by_link() {
    let lab = Lab::new("link");
    if !lab.compile("a.c", C, "gcc -O2 -g -Wl,--build-id=none a.c -o a") {
        return;
    }
    let place = offset(&lab.path("a"), "in_inlined");
    lab.run("objcopy --only-keep-debug a a.debug");
    lab.run("objcopy --strip-all --add-gnu-debuglink=a.debug a");
    assert_eq!(only(&lab.look_up("a", place)), BOTH);
    fs::create_dir_all(lab.path(".debug")).unwrap();
    fs::rename(lab.path("a.debug"), lab.path(".debug/a.debug")).unwrap();
    assert_eq!(only(&lab.look_up("a", place)), BOTH);
    let mut data = fs::read(lab.path(".debug/a.debug")).unwrap();
    data.push(0);
    fs::write(lab.path(".debug/a.debug"), data).unwrap();
    assert_eq!(only(&lab.look_up("a", place)), []);
}

#[test]
fn names_of_cpp_and_rust_are_readable() {
    let lab = Lab::new("mangled");
    if lab.compile("a.cpp", CPP, "g++ -O2 -g a.cpp -o cpp") {
        let known = lab.look_up("cpp", offset(&lab.path("cpp"), "in_method"));
        let expected = [("net::Server::close_connection(int)", Some(6), false)];
        assert_eq!(only(&known), expected);
    }
    if lab.compile("a.rs", RUST, "rustc -O -g -A named_asm_labels a.rs -o rust") {
        let known = lab.look_up("rust", offset(&lab.path("rust"), "in_method"));
        let found = only(&known);
        let (name, line, _) = found.last().unwrap();
        assert!(name.ends_with("finish") && !name.contains("_ZN"), "{name}");
        assert_eq!(*line, Some(7));
    }
}

#[test]
fn lines_of_a_pe_that_gcc_made() {
    for tool in ["x86_64-w64-mingw32", "i686-w64-mingw32"] {
        let lab = Lab::new(tool);
        // this compiler's C names have an underscore with 32 bits
        let text = match tool.starts_with("i686") {
            true => C.replace(r#"name "\n" name ":""#, r#""_" name "\n_" name ":""#),
            false => C.to_owned(),
        };
        if !lab.compile("a.c", &text, &format!("{tool}-gcc -O2 -g a.c -o a.exe")) {
            continue;
        }
        let symbol = |name: &str| match tool.starts_with("i686") {
            true => format!("_{name}"),
            false => name.to_owned(),
        };
        let places = ["in_inlined", "in_hidden"];
        let places = places.map(|name| offset(&lab.path("a.exe"), &symbol(name)));
        assert_eq!(only(&lab.look_up("a.exe", places[0])), BOTH);
        lab.run(&format!("{tool}-strip -g a.exe"));
        let known = lab.look_up("a.exe", places[1]);
        let found = only(&known);
        assert_eq!(found[0].0.trim_start_matches('_'), "hidden");
        assert_eq!(known.source, Source::Names { build_id: None });
        lab.run(&format!("{tool}-strip -s a.exe"));
        assert_eq!(only(&lab.look_up("a.exe", places[1])), []);
    }
}

#[test]
fn lines_from_a_program_database() {
    let lab = Lab::new("pdb");
    let target = "x86_64-pc-windows-msvc";
    let mut libraries = Command::new("rustc");
    libraries.args(["--print", "target-libdir", "--target", target]);
    let folder = libraries
        .output()
        .map(|said| said.stdout)
        .unwrap_or_default();
    let folder = String::from_utf8(folder).unwrap();
    if !Path::new(folder.trim()).is_dir() {
        skipped(
            "lines of a .pdb file",
            &format!("there is no Rust for {target} here"),
        );
        return;
    }
    let line = format!(
        "rustc --target {target} -g -Copt-level=1 -Cpanic=abort -Clinker=rust-lld -Clinker-flavor=lld-link \
         -Clink-arg=/nodefaultlib -Clink-arg=/entry:start -Clink-arg=/subsystem:console a.rs -o a.exe"
    );
    if !lab.compile("a.rs", RUST_MSVC, &line) {
        return;
    }
    let data = fs::read(lab.path("a.exe")).unwrap();
    let place = after_the_call(&data).expect("a call");
    let known = lab.look_up("a.exe", place);
    let found = only(&known);
    assert_eq!(found.last().unwrap().1, Some(7), "{found:?}");
    assert!(found.last().unwrap().0.contains("finish"), "{found:?}");
    assert_eq!(
        known.source,
        Source::Lines {
            file: lab.path("a.pdb")
        }
    );
    // one of another build is not taken
    fs::rename(lab.path("a.pdb"), lab.path("old.pdb")).unwrap();
    fs::write(lab.path("a.rs"), RUST_MSVC.replace("r + 2", "r + 3")).unwrap();
    lab.run(&line.replace("a.exe", "b.exe"));
    fs::rename(lab.path("b.pdb"), lab.path("a.pdb")).unwrap();
    assert_eq!(only(&lab.look_up("a.exe", place)), []);
}

/// From the beginning of the image to behind the call in finish(): the first of the code whose
/// target is the beginning of the code, where leaf() stands.
fn after_the_call(data: &[u8]) -> Option<u64> {
    use object::ObjectSection;
    let file = object::File::parse(data).ok()?;
    let section = file.section_by_name(".text")?;
    let code = section.data().ok()?;
    let call = (0..code.len() - 5).find(|&at| {
        let distance = i32::from_le_bytes(code[at + 1..at + 5].try_into().unwrap());
        code[at] == 0xe8 && at as i64 + 5 + i64::from(distance) == 0
    })?;
    Some(section.address() - file.relative_address_base() + call as u64 + 5)
}

#[test]
fn what_cannot_be_read_is_said() {
    let lab = Lab::new("unreadable");
    let said = |module: &str| match lab.look_up(module, 16).source {
        Source::Unreadable { why } => why,
        other => panic!("{module}: {other:?}"),
    };
    assert!(said("missing").contains("No such file") || said("missing").contains("not found"));
    fs::write(lab.path("text"), "no program").unwrap();
    assert!(!said("text").is_empty());
    fs::create_dir(lab.path("folder")).unwrap();
    assert!(!said("folder").is_empty());
}

/// Nothing that a file contains ends the command.
#[test]
fn damaged_files_cost_no_report() {
    let lab = Lab::new("damaged");
    if !lab.compile("a.c", C, "gcc -O2 -g a.c -o a") {
        return;
    }
    let place = offset(&lab.path("a"), "in_inlined");
    let whole = fs::read(lab.path("a")).unwrap();
    for step in 1..60 {
        let mut data = whole.clone();
        for at in (step * 7..data.len()).step_by(397 + step) {
            data[at] = data[at].wrapping_mul(31).wrapping_add(step as u8);
        }
        data.truncate(whole.len() - whole.len() * (step % 4) / 5);
        fs::write(lab.path("a"), data).unwrap();
        let _ = lab.look_up("a", place);
    }
}
