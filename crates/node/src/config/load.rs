//! Defaults, file, environment and flags joined into one configuration, each key with its origin.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::origin::Origin;
use super::sources::{Given, Sources, environment_settings, file_settings, flag_settings};
use super::{CONFIG_FILE, Config, KeyInfo};
use crate::seed::others_may;

/// The configuration in force and where each value came from.
#[derive(Clone, Debug)]
pub struct EffectiveConfig {
    /// The values.
    pub config: Config,
    origins: BTreeMap<String, Origin>,
    file: Option<PathBuf>,
}

/// One line of `steward config`.
#[derive(Clone, Debug)]
pub struct ConfigEntry {
    /// The key.
    pub key: &'static KeyInfo,
    /// Its value in TOML, `***` for a secret, `None` if it is not set.
    pub value: Option<String>,
    /// The place that the value comes from.
    pub origin: Origin,
}

impl EffectiveConfig {
    /// Joins all sources. Asks no further than the files: see [`Config::check`] for sanity.
    ///
    /// # Errors
    /// Fails with a [`ConfigError`] that names the place and the key.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let mut settings = environment_settings(&sources.environment)?;
        settings.extend(flag_settings(&sources.overrides)?);
        let mut effective =
            Self { config: Config::default(), origins: BTreeMap::new(), file: None };
        effective.apply(&settings)?;
        let data_dir = &effective.config.node.data_dir;
        let beside_data =
            Some(data_dir.join(CONFIG_FILE)).filter(|path| data_dir.is_absolute() && path.exists());
        effective.file = sources.file.clone().or(beside_data);
        if let Some(path) = &effective.file {
            effective.apply(&file_settings(path)?)?;
        }
        effective.apply(&settings)?;
        if effective.config.node.data_dir.as_os_str().is_empty() {
            return Err(ConfigError::Unusable {
                problem: "there is no home directory, so none for the data either".to_owned(),
                hint: "Name the data directory: --data-dir, or STEWARD_DATA_DIR.".to_owned(),
            });
        }
        Ok(effective)
    }

    /// Returns the path of the file that was read, if there was one.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Refuses files with secrets that other users may read.
    ///
    /// # Errors
    /// Fails with [`ConfigError::Unusable`], which names the file.
    pub fn check_private(&self) -> Result<(), ConfigError> {
        let holds_secrets = Config::keys()
            .filter(|key| key.secret)
            .any(|key| matches!(self.origin(&key.path()), Origin::File { .. }));
        let configuration = self.file.as_deref().filter(|_| holds_secrets);
        let host = self.config.host.secrets_file.as_deref();
        let chain = self.config.chain.password_file.as_deref();
        let data_dir = &self.config.node.data_dir;
        [configuration, host, chain]
            .into_iter()
            .flatten()
            .try_for_each(|path| check_file_private(path, data_dir))
    }

    /// Lists every key with value and origin, in the order of the file.
    pub fn entries(&self) -> impl Iterator<Item = ConfigEntry> + '_ {
        Config::keys().map(|key| {
            let value = self.config.get(key).map(|value| match key.secret {
                true => "***".to_owned(),
                false => value.to_string(),
            });
            ConfigEntry { key, value, origin: self.origin(&key.path()) }
        })
    }

    /// Returns the place that the value of a key, `section.name`, comes from.
    pub fn origin(&self, path: &str) -> Origin {
        self.origins.get(path).cloned().unwrap_or(Origin::Default)
    }

    fn apply(&mut self, settings: &[Given]) -> Result<(), ConfigError> {
        for Given { key, value, origin } in settings {
            self.config.set(key, value).map_err(|problem| ConfigError::BadValue {
                origin: origin.clone(),
                key: key.path(),
                problem: if key.secret { "the value does not fit".to_owned() } else { problem },
            })?;
            self.origins.insert(key.path(), origin.clone());
        }
        Ok(())
    }
}

/// Permits the group to read a file that belongs to another user than the data does, usually root:
/// that is how a service is given its configuration.
fn check_file_private(path: &Path, data_dir: &Path) -> Result<(), ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    let bits = if has_owner_of(&metadata, data_dir) { 0o077 } else { 0o037 };
    if !others_may(&metadata, bits) {
        return Ok(());
    }
    let shown = path.display();
    Err(ConfigError::Unusable {
        problem: format!("other users may read {shown}, which holds secrets"),
        hint: format!("Run chmod 600 {shown}, and change the secrets if others have read them."),
    })
}

#[cfg(unix)]
fn has_owner_of(metadata: &fs::Metadata, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    fs::metadata(other).is_ok_and(|other| other.uid() == metadata.uid())
}

#[cfg(not(unix))]
fn has_owner_of(_metadata: &fs::Metadata, _other: &Path) -> bool {
    true
}

/// Returns a commented file that sets every key to its default.
pub fn sample_toml() -> String {
    let mut text =
        String::from("# Configuration of steward. Every key is shown with its default.\n");
    let defaults = Config { node: super::NodeConfig::default(), ..Config::default() };
    let mut section = "";
    for key in Config::keys() {
        if key.section != section {
            section = key.section;
            text.push_str(&format!("\n[{section}]\n"));
        }
        for line in key.doc.lines() {
            text.push_str(&format!("#{line}\n"));
        }
        match defaults.get(key) {
            // The home directory is a default for its reader only.
            Some(value) if key.name != "data_dir" => {
                text.push_str(&format!("# {} = {value}\n", key.name));
            }
            _ => text.push_str(&format!("# {} =\n", key.name)),
        }
    }
    text
}
