//! Files of one crate that use each other, directly or over others.

use std::collections::{BTreeMap, BTreeSet};

use crate::files::TextFile;

/// A file by its module path inside the crate, such as `sqlite::write`; the root is empty.
type Module = String;

/// Returns the groups of files of the crate in `folder` (such as `crates/engine`) that use each other in a
/// circle, each group sorted. What `mod` declares is no use; what `use crate::`, `super::` or a path names, is.
pub fn circles(files: &[TextFile], folder: &str) -> Vec<Vec<String>> {
    let prefix = format!("{folder}/src/");
    let modules: BTreeMap<Module, &TextFile> = files
        .iter()
        .filter_map(|file| Some((module_of(file.path.strip_prefix(&prefix)?)?, file)))
        .collect();
    let uses: BTreeMap<&Module, BTreeSet<&Module>> =
        modules.iter().map(|(module, file)| (module, used(module, file, &modules))).collect();
    let reach: BTreeMap<&Module, BTreeSet<&Module>> =
        uses.keys().map(|module| (*module, reachable(module, &uses))).collect();
    let mut groups = BTreeSet::new();
    for (module, reached) in &reach {
        if reached.contains(*module) {
            let group: Vec<String> = reached
                .iter()
                .filter(|other| reach.get(**other).is_some_and(|back| back.contains(*module)))
                .map(|other| (*other).clone())
                .collect();
            groups.insert(group);
        }
    }
    groups.into_iter().collect()
}

fn module_of(path: &str) -> Option<Module> {
    let path = path.strip_suffix(".rs")?;
    let path = path.strip_suffix("/mod").unwrap_or(path);
    // The crate's root ties all together: it uses everything, and what it re-exports is not its own.
    (path != "lib" && path != "main").then(|| path.replace('/', "::"))
}

/// The modules that a file's code names, but for itself.
fn used<'a>(
    module: &str,
    file: &TextFile,
    modules: &'a BTreeMap<Module, &TextFile>,
) -> BTreeSet<&'a Module> {
    let code: Vec<&str> = file
        .text
        .lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    let code = code.join(" ");
    let parent = module.rsplit_once("::").map_or("", |(parent, _)| parent);
    let mut named = BTreeSet::new();
    for (start, base) in [("crate::", ""), ("super::", parent), ("self::", module)] {
        for (at, _) in code.match_indices(start) {
            // `pub(in crate::..)` restricts and does not use; `super::super::` is rare enough to name by `crate::`.
            paths(&code[at + start.len()..], base, &mut named);
        }
    }
    let known = named.iter().filter_map(|path| longest(path, modules));
    known.filter(|other| *other != module).collect()
}

/// Adds the paths that begin with `base`, braces expanded one level.
fn paths(text: &str, base: &str, named: &mut BTreeSet<String>) {
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let end = text.find(|c: char| !is_path(c)).unwrap_or(text.len());
    let join = |path: &str| {
        let path = path.trim_end_matches(':');
        if base.is_empty() { path.to_owned() } else { format!("{base}::{path}") }
    };
    let (path, rest) = text.split_at(end);
    if let Some(inner) = rest.strip_prefix('{') {
        for item in inner.split('}').next().unwrap_or_default().split(',') {
            named.insert(join(&format!("{path}{}", item.trim())));
        }
    }
    named.insert(join(path));
}

/// The module with the longest name that the path lies in.
fn longest<'a>(path: &str, modules: &'a BTreeMap<Module, &TextFile>) -> Option<&'a Module> {
    let mut path = path;
    loop {
        if let Some((module, _)) = modules.get_key_value(path) {
            return Some(module);
        }
        path = path.rsplit_once("::")?.0;
    }
}

fn reachable<'a>(
    module: &'a Module,
    uses: &BTreeMap<&'a Module, BTreeSet<&'a Module>>,
) -> BTreeSet<&'a Module> {
    let mut reached = BTreeSet::new();
    let mut waiting = vec![module];
    while let Some(module) = waiting.pop() {
        for next in uses.get(module).into_iter().flatten() {
            if reached.insert(*next) {
                waiting.push(next);
            }
        }
    }
    reached
}
