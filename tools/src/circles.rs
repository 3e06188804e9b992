//! No circle of files: no two files may need each other, directly or by way of others. Counted is
//! what a file names: `use` and paths in Rust, `#include "..."` in C. Tests are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use syn::visit::{self, Visit};

/// A file, and the files that it names.
type Graph = BTreeMap<PathBuf, BTreeSet<PathBuf>>;

/// Says which circles there are below these folders: crates by their `lib.rs` or `main.rs`, others are C.
pub fn check(roots: &[&str]) -> ExitCode {
    let mut found = 0;
    for root in roots {
        let root = Path::new(root);
        let crate_root = ["lib.rs", "main.rs"].map(|file| root.join(file));
        let graph = match crate_root.iter().find(|file| file.exists()) {
            Some(file) => of_crate(file),
            None => of_includes(root),
        };
        let graph = match graph {
            Ok(graph) => graph,
            Err(error) => {
                eprintln!("FAILED  {}: {error}", root.display());
                return ExitCode::FAILURE;
            }
        };
        let circles = circles(&graph);
        for circle in &circles {
            println!("FAILED  a circle of files in {}:", root.display());
            for (from, to) in edges_within(&graph, circle) {
                println!("        {} needs {}", from.display(), to.display());
            }
        }
        if circles.is_empty() {
            println!(
                "ok      no circle in the {} files of {}",
                graph.len(),
                root.display()
            );
        }
        found += circles.len();
    }
    ExitCode::from(u8::from(found > 0))
}

/// A module by its path from the root of the crate.
type Module = Vec<String>;

/// Which files a module may be in: several where each system has its own.
type Files = BTreeMap<Module, BTreeSet<PathBuf>>;

fn of_crate(root: &Path) -> io::Result<Graph> {
    let mut files = Files::new();
    let mut parsed = Vec::new();
    collect(root, Module::new(), &mut files, &mut parsed)?;
    let mut graph = Graph::new();
    for (path, module, tree) in &parsed {
        let mut names = Names {
            files: &files,
            module: module.clone(),
            found: BTreeSet::new(),
        };
        names.visit_file(tree);
        names.found.remove(path);
        graph.entry(path.clone()).or_default().extend(names.found);
    }
    Ok(graph)
}

/// Reads the file of a module, and those of the modules that it declares.
fn collect(
    path: &Path,
    module: Module,
    files: &mut Files,
    parsed: &mut Vec<(PathBuf, Module, syn::File)>,
) -> io::Result<()> {
    let text = fs::read_to_string(path)?;
    let tree = syn::parse_file(&text)
        .map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?;
    files
        .entry(module.clone())
        .or_default()
        .insert(path.to_owned());
    let folder = folder_of(path);
    for item in &tree.items {
        let syn::Item::Mod(declared) = item else {
            continue;
        };
        if declared.content.is_some() || is_for_tests(&declared.attrs) {
            continue;
        }
        let name = declared.ident.to_string();
        let mut inner = module.clone();
        inner.push(name.clone());
        let file = match path_attribute(&declared.attrs) {
            Some(given) => path.parent().unwrap_or(Path::new("")).join(given),
            None => [format!("{name}.rs"), format!("{name}/mod.rs")]
                .map(|file| folder.join(file))
                .into_iter()
                .find(|file| file.exists())
                .ok_or_else(|| {
                    io::Error::other(format!("{}: no file of {name}", path.display()))
                })?,
        };
        collect(&file, inner, files, parsed)?;
    }
    parsed.push((path.to_owned(), module, tree));
    Ok(())
}

/// Where the modules lie that a file declares.
fn folder_of(path: &Path) -> PathBuf {
    let is_facade = ["lib.rs", "main.rs", "mod.rs"]
        .iter()
        .any(|name| path.ends_with(name));
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    match path.file_stem() {
        Some(stem) if !is_facade => folder.join(stem),
        _ => folder,
    }
}

fn path_attribute(attributes: &[syn::Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| {
        let syn::Meta::NameValue(pair) = &attribute.meta else {
            return None;
        };
        match &pair.value {
            syn::Expr::Lit(syn::ExprLit {
                lit: syn::Lit::Str(text),
                ..
            }) if pair.path.is_ident("path") => Some(text.value()),
            _ => None,
        }
    })
}

/// `#[cfg(test)]`, `#[cfg(all(test, ...))]`, `#[cfg(any(test, fuzzing))]` or `#[test]`.
fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::List(list) if list.path.is_ident("cfg") => {
            let words = list.tokens.to_string();
            let closed_up: String = words.split_whitespace().collect();
            if matches!(&*closed_up, "fuzzing" | "any(test,fuzzing)") {
                return true;
            }
            let words = words
                .trim_start_matches("all")
                .trim_start_matches([' ', '(']);
            words.split([',', ')']).any(|word| word.trim() == "test")
        }
        meta => meta.path().is_ident("test"),
    })
}

/// Collects what a file names.
struct Names<'a> {
    files: &'a Files,
    module: Module,
    found: BTreeSet<PathBuf>,
}

impl Names<'_> {
    /// Notes the file of the innermost module on this path.
    fn note(&mut self, segments: &[String]) {
        let Some((first, rest)) = segments.split_first() else {
            return;
        };
        let mut module = self.module.clone();
        let mut rest = rest;
        match first.as_str() {
            "crate" => module.clear(),
            "self" => {}
            "super" => {
                module.pop();
                while let Some(("super", more)) = rest.split_first().map(|(a, b)| (a.as_str(), b)) {
                    module.pop();
                    rest = more;
                }
            }
            // A module that this one declares, or a name from elsewhere.
            name => {
                module.push(name.to_owned());
                if !self.files.contains_key(&module) {
                    return;
                }
            }
        }
        for segment in rest {
            module.push(segment.clone());
            if !self.files.contains_key(&module) {
                module.pop();
                break;
            }
        }
        // A module within a file is in the file of the one around it.
        while !self.files.contains_key(&module) && module.pop().is_some() {}
        if let Some(files) = self.files.get(&module) {
            self.found.extend(files.iter().cloned());
        }
    }

    fn note_tree(&mut self, tree: &syn::UseTree, before: &mut Vec<String>) {
        match tree {
            syn::UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.note_tree(&path.tree, before);
                before.pop();
            }
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.note_tree(tree, before);
                }
            }
            syn::UseTree::Name(syn::UseName { ident }) => self.note_name(before, ident),
            syn::UseTree::Rename(syn::UseRename { ident, .. }) => self.note_name(before, ident),
            syn::UseTree::Glob(_) => self.note(before),
        }
    }

    fn note_name(&mut self, before: &[String], name: &syn::Ident) {
        let mut segments = before.to_vec();
        if name != "self" {
            segments.push(name.to_string());
        }
        self.note(&segments);
    }
}

impl<'ast> Visit<'ast> for Names<'_> {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !is_for_tests(&item.attrs) {
            self.note_tree(&item.tree, &mut Vec::new());
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path
            .segments
            .iter()
            .map(|it| it.ident.to_string())
            .collect();
        if matches!(segments[0].as_str(), "crate" | "super" | "self") && segments.len() > 1 {
            self.note(&segments);
        }
        visit::visit_path(self, path);
    }

    /// `pub(in crate::...)` names no need.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.content.is_none() || is_for_tests(&item.attrs) {
            return;
        }
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_fn(self, item);
        }
    }
}

/// C files of a folder, and what they include of it.
fn of_includes(root: &Path) -> io::Result<Graph> {
    let mut graph = Graph::new();
    for entry in fs::read_dir(root)? {
        let path = entry?.path();
        if !matches!(
            path.extension().and_then(|it| it.to_str()),
            Some("c" | "h" | "hpp" | "cpp")
        ) {
            continue;
        }
        let text = fs::read_to_string(&path)?;
        let named = text.lines().filter_map(|line| {
            let line = line.trim_start().strip_prefix('#')?.trim_start();
            let name = line
                .strip_prefix("include")?
                .trim_start()
                .strip_prefix('"')?;
            Some(root.join(name.split('"').next()?)).filter(|path| path.exists())
        });
        graph.insert(path.clone(), named.collect());
    }
    Ok(graph)
}

/// All sets of files that need each other.
fn circles(graph: &Graph) -> Vec<BTreeSet<&Path>> {
    let reach: BTreeMap<&Path, BTreeSet<&Path>> = graph
        .keys()
        .map(|file| (file.as_path(), reached_from(graph, file)))
        .collect();
    let mut circles: Vec<BTreeSet<&Path>> = Vec::new();
    for (file, reached) in &reach {
        if !reached.contains(file) || circles.iter().any(|circle| circle.contains(file)) {
            continue;
        }
        let back = |other: &&&Path| reach.get(**other).is_some_and(|back| back.contains(file));
        circles.push(reached.iter().filter(back).copied().collect());
    }
    circles
}

fn reached_from<'g>(graph: &'g Graph, file: &Path) -> BTreeSet<&'g Path> {
    let mut reached = BTreeSet::new();
    let mut left: Vec<&Path> = vec![file];
    while let Some(next) = left.pop() {
        for other in graph.get(next).into_iter().flatten() {
            if reached.insert(other.as_path()) {
                left.push(other);
            }
        }
    }
    reached
}

fn edges_within<'g>(graph: &'g Graph, circle: &BTreeSet<&Path>) -> Vec<(&'g Path, &'g Path)> {
    let inside = |file: &Path| circle.contains(file);
    graph
        .iter()
        .filter(|(from, _)| inside(from))
        .flat_map(|(from, all)| all.iter().map(move |to| (from.as_path(), to.as_path())))
        .filter(|(_, to)| inside(to))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{circles, of_crate, of_includes};
    use std::fs;
    use std::path::{Path, PathBuf};

    /// A folder with these files, gone when dropped.
    struct Folder(PathBuf);

    impl Folder {
        fn with(name: &str, files: &[(&str, &str)]) -> Folder {
            let root = std::env::temp_dir().join(format!("circles-{name}-{}", std::process::id()));
            for (file, text) in files {
                let path = root.join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            Folder(root)
        }

        fn circles_of_crate(&self) -> Vec<Vec<String>> {
            self.names(&of_crate(&self.0.join("lib.rs")).unwrap())
        }

        fn names(&self, graph: &super::Graph) -> Vec<Vec<String>> {
            let name = |path: &&Path| path.strip_prefix(&self.0).unwrap().display().to_string();
            let all = circles(graph);
            all.iter()
                .map(|circle| circle.iter().map(name).collect())
                .collect()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_circle_by_way_of_a_third_file_is_found() {
        let folder = Folder::with(
            "third",
            &[
                ("lib.rs", "mod a; mod b; mod c; pub use a::A;"),
                ("a.rs", "use crate::b::B; pub struct A(B);"),
                ("b.rs", "pub struct B(super::c::C);"),
                ("c.rs", "fn f() { let _ = crate::a::A::new; } pub struct C;"),
            ],
        );
        assert_eq!(folder.circles_of_crate(), [["a.rs", "b.rs", "c.rs"]]);
    }

    #[test]
    fn a_child_that_names_its_parent_is_one() {
        let folder = Folder::with(
            "parent",
            &[
                ("lib.rs", "mod a;"),
                ("a/mod.rs", "mod b; use b::B; pub struct A(B);"),
                ("a/b.rs", "use super::A; pub struct B(Box<A>);"),
            ],
        );
        assert_eq!(folder.circles_of_crate(), [["a/b.rs", "a/mod.rs"]]);
    }

    #[test]
    fn siblings_by_their_own_names_are_none_and_tests_do_not_count() {
        let folder = Folder::with(
            "siblings",
            &[
                ("lib.rs", "mod a; pub use a::A;"),
                (
                    "a/mod.rs",
                    "mod b; mod c; pub use b::B; #[cfg(any(test, fuzzing))] mod tests;",
                ),
                ("a/b.rs", "use super::c::C; pub struct B(C);"),
                (
                    "a/c.rs",
                    "pub struct C; #[cfg(test)] mod tests { use crate::a::B; }",
                ),
            ],
        );
        assert_eq!(folder.circles_of_crate(), [[""; 0]; 0]);
    }

    #[test]
    fn headers_that_include_each_other_are_one() {
        let folder = Folder::with(
            "headers",
            &[
                ("a.h", "#include \"b.h\"\n#include <stddef.h>\n"),
                ("b.h", "#  include \"a.h\"\n"),
                ("c.c", "#include \"a.h\"\n"),
            ],
        );
        let graph = of_includes(&folder.0).unwrap();
        assert_eq!(folder.names(&graph), [["a.h", "b.h"]]);
    }
}
