//! The files of the repository, as Git knows them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One text file of the repository.
#[derive(Clone, Debug)]
pub struct TextFile {
    /// The path from the root of the repository, with slashes.
    pub path: String,
    /// The whole content.
    pub text: String,
}

impl TextFile {
    /// The lines of the file with their numbers, from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// Returns true if this is a Rust file.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Returns true if this is a Markdown file.
    pub fn is_markdown(&self) -> bool {
        self.path.ends_with(".md")
    }
}

/// Returns the root of the repository.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// Returns all Rust, Markdown, JSON and TOML files that Git tracks, or that are new and not ignored. Outside a Git
/// checkout (an unpacked archive) it walks the tree without `target`.
pub fn tracked() -> Vec<TextFile> {
    let root = root();
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(&root)
        .output();
    let paths: Vec<String> = match listed {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
        }
        _ => walk(&root, &root),
    };
    let is_text =
        |path: &String| [".rs", ".md", ".json", ".toml"].iter().any(|end| path.ends_with(end));
    // A file that was deleted and not committed yet is still listed.
    let read = |path: String| {
        fs::read_to_string(root.join(&path)).ok().map(|text| TextFile { path, text })
    };
    paths.into_iter().filter(is_text).filter_map(read).collect()
}

fn walk(root: &Path, dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut paths = Vec::new();
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        match name.as_deref() {
            None | Some("target" | ".git") => {}
            Some(_) if path.is_dir() => paths.extend(walk(root, &path)),
            Some(_) => {
                let path = path.strip_prefix(root).unwrap_or(&path);
                paths.push(path.to_string_lossy().into_owned());
            }
        }
    }
    paths
}
