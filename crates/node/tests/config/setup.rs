//! A configuration put together from a file, variables and flags.

use std::fs;
use std::path::PathBuf;

use steward_node::{ConfigError, EffectiveConfig, Sources};

pub(crate) struct Setup {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) sources: Sources,
}

pub(crate) fn setup() -> Setup {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = format!("data_dir={}", dir.path().display());
    Setup { sources: Sources { overrides: vec![data_dir], ..Sources::default() }, dir }
}

impl Setup {
    pub(crate) fn file(mut self, text: &str) -> Self {
        let path = self.path();
        fs::write(&path, text).unwrap();
        self.sources.file = Some(path);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.sources.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn flag(mut self, text: &str) -> Self {
        self.sources.overrides.push(text.to_owned());
        self
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("my.toml")
    }

    pub(crate) fn load(&self) -> Result<EffectiveConfig, ConfigError> {
        EffectiveConfig::load(&self.sources)
    }

    pub(crate) fn error(&self) -> String {
        self.load().unwrap_err().to_string().replace(&self.path().display().to_string(), "FILE")
    }

    pub(crate) fn unusable(&self) -> String {
        self.load().unwrap().config.check().unwrap_err().to_string()
    }
}
