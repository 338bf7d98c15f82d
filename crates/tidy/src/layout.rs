//! Modules that their crate's layout list leaves out.

use crate::files::TextFile;

/// Returns one line for each module of a crate root that has a layout list and does not name it.
pub fn unlisted(files: &[TextFile]) -> Vec<String> {
    let roots = files
        .iter()
        .filter(|file| file.path.starts_with("crates/") && file.path.ends_with("/src/lib.rs"));
    let mut found = Vec::new();
    for root in roots {
        let docs: String =
            root.text.lines().filter(|line| line.starts_with("//!")).collect::<Vec<_>>().join("\n");
        let lines: Vec<&str> = root.text.lines().collect();
        let is_for_tests = |pair: &&[&str]| pair.first() == Some(&"#[cfg(test)]");
        let pairs = lines.windows(2).filter(|pair| !is_for_tests(pair));
        let modules: Vec<&str> =
            pairs.filter_map(|pair| pair.last().and_then(|line| module(line))).collect();
        if modules.len() > 1 && !docs.contains("Layout") {
            found.push(format!("{}: no list that begins with \"Layout\"", root.path));
            continue;
        }
        let is_listed = |module: &&&str| {
            let forms = [format!("`{module}`"), format!("[{module}]"), format!("mod@{module}")];
            forms.iter().any(|form| docs.contains(form))
        };
        let missing = modules.iter().filter(|module| modules.len() > 1 && !is_listed(module));
        found.extend(missing.map(|module| format!("{}: module `{module}`", root.path)));
    }
    found
}

fn module(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub ").or(line.strip_prefix("pub(crate) ")).unwrap_or(line);
    line.strip_prefix("mod ")?.strip_suffix(';')
}
