//! Functions that are too long.

use crate::files::TextFile;

/// The most lines a function may have, its signature and its last brace included.
pub const MAX_FUNCTION_LINES: usize = 70;

/// Returns one line for each function that is longer. It relies on rustfmt: a function ends with the first line
/// that holds only a brace, indented as the line with `fn`.
pub fn too_long(files: &[TextFile]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let lines: Vec<&str> = file.text.lines().collect();
        for (start, line) in lines.iter().enumerate() {
            let Some(name) = function(line) else { continue };
            let indent = &line[..line.len() - line.trim_start().len()];
            let end = format!("{indent}}}");
            let body = lines.iter().skip(start);
            let Some(length) = body.clone().position(|line| *line == end) else { continue };
            // A function without a body, in a trait.
            let head = body.take_while(|line| !line.ends_with(['{', ';'])).count();
            let is_declared = lines.get(start + head).is_some_and(|line| line.ends_with(';'));
            if !is_declared && length + 1 > MAX_FUNCTION_LINES {
                let lines = length + 1;
                found.push(format!("{}:{}: {name} has {lines} lines", file.path, start + 1));
            }
        }
    }
    found
}

fn function(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    for word in ["pub ", "pub(crate) ", "pub(super) ", "const ", "async ", "extern \"C\" "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    let name = rest.strip_prefix("fn ")?;
    name.split(['(', '<']).next()
}
