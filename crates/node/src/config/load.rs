//! Defaults, file, environment and flags joined into one configuration, each key with its origin.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;
use toml::Value;
use toml::de::{DeTable, DeValue};

use super::section::home_dir;
use super::{CONFIG_FILE, Config, KeyInfo, Kind};
use crate::limits::MAX_CONFIG_FILE_BYTES;
use crate::seed::others_may;
use crate::text::decode;

/// The place a value comes from; later ones win.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// No source sets it.
    Default,
    /// The configuration file.
    File {
        /// Its path.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// An environment variable.
    Environment {
        /// Its name.
        variable: String,
    },
    /// A flag of the command line.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Self::Environment { variable } => write!(f, "environment, {variable}"),
            Self::Flag => f.write_str("flag --set"),
        }
    }
}

/// The places to look for configuration. They are not to be shown: values may be secret.
#[derive(Clone, Default)]
pub struct Sources {
    /// A file that must exist. `None`: [`CONFIG_FILE`] in the data directory, if it is there.
    pub file: Option<PathBuf>,
    /// Environment variables; those that begin with `STEWARD_` are looked at.
    pub environment: Vec<(String, String)>,
    /// `section.key=value`, as in `--set`; of two for one key the last wins.
    pub overrides: Vec<String>,
}

impl Sources {
    /// Returns this process's environment and these flags.
    pub fn of_process(file: Option<PathBuf>, overrides: Vec<String>) -> Self {
        // Foreign variables may hold anything; ours are text.
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| {
                Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
            })
            .collect();
        Self { file, environment, overrides }
    }
}

/// The reason why there is no usable configuration.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("configuration file {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file is text of another kind.
    #[error("configuration file {path}: it is {encoding}")]
    Encoding {
        /// The file.
        path: PathBuf,
        /// The encoding it seems to have.
        encoding: String,
    },
    /// An environment variable that sets nothing, and seems to be meant to.
    #[error("environment, {variable}: it sets nothing; did you mean {meant}?")]
    UnknownVariable {
        /// Its name.
        variable: String,
        /// The one that sets something.
        meant: String,
    },
    /// The file is longer than any configuration.
    #[error("configuration file {path} is longer than {MAX_CONFIG_FILE_BYTES} bytes")]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// The file is not TOML.
    #[error("{path}, line {line}: {problem}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The parser's message.
        problem: String,
    },
    /// There is no such key.
    #[error("{origin}: there is no key `{key}`{}", did_you_mean(suggestion))]
    UnknownKey {
        /// The place where it was given.
        origin: Origin,
        /// The key as given.
        key: String,
        /// The key that may have been meant.
        suggestion: Option<String>,
    },
    /// The key exists, the value does not fit it.
    #[error("{origin}: `{key}`: {problem}")]
    BadValue {
        /// The place where it was given.
        origin: Origin,
        /// The key.
        key: String,
        /// The expected and the found kind of value.
        problem: String,
    },
    /// A flag that is not `key=value`.
    #[error("flag --set {text}: expected section.key=value")]
    NotAnOverride {
        /// The flag as given.
        text: String,
    },
    /// Values that do not fit together, or that the node must not run with.
    #[error("{problem}")]
    Unusable {
        /// The problem, in a sentence.
        problem: String,
        /// The hint for the operator.
        hint: String,
    },
}

impl ConfigError {
    /// Returns the hint for the operator.
    pub fn hint(&self) -> &str {
        match self {
            Self::Unusable { hint, .. } => hint,
            Self::UnknownKey { .. } => "`steward config` lists every key.",
            Self::Encoding { .. } => "Save it as UTF-8, also called Unicode (UTF-8).",
            Self::UnknownVariable { .. } => {
                "Section and key are joined by two underscores. If it is not meant for steward, give it another name."
            }
            Self::NotAnOverride { .. } => "For example --set network=regtest.",
            Self::Unreadable { .. } => "Check the path and that this user may read the file.",
            _ => "`steward config` shows every key with its meaning and default.",
        }
    }
}

fn did_you_mean(suggestion: &Option<String>) -> String {
    suggestion.as_ref().map_or_else(String::new, |key| format!("; did you mean `{key}`?"))
}

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

/// A value that a source gave.
struct Given {
    key: &'static KeyInfo,
    value: Value,
    origin: Origin,
}

fn file_settings(path: &Path) -> Result<Vec<Given>, ConfigError> {
    let text = read_file(path)?;
    let line_of =
        |offset: usize| 1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count();
    let table = DeTable::parse(&text).map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        line: line_of(error.span().map_or(0, |span| span.start)),
        problem: error.message().trim().to_owned(),
    })?;
    let origin = |offset| Origin::File { path: path.to_owned(), line: line_of(offset) };
    let mut settings = Vec::new();
    for (name, item) in table.into_inner() {
        let is_section = Config::keys().any(|key| key.section == name.get_ref().as_ref());
        let start = name.span().start;
        match item.into_inner() {
            DeValue::Table(section) if is_section => {
                for (key, value) in section {
                    let path = format!("{}.{}", name.get_ref(), key.get_ref());
                    let origin = origin(key.span().start);
                    settings.push(given(&path, plain_value(value.into_inner()), origin)?);
                }
            }
            value => settings.push(given(name.get_ref(), plain_value(value), origin(start))?),
        }
    }
    let base = path.parent().unwrap_or(Path::new(""));
    settings.iter_mut().try_for_each(|given| given.resolve_path(base))?;
    Ok(settings)
}

fn environment_settings(environment: &[(String, String)]) -> Result<Vec<Given>, ConfigError> {
    let mut settings = Vec::new();
    for (variable, text) in environment {
        let Some(name) = variable.strip_prefix("STEWARD_") else { continue };
        let path = name.to_lowercase().replacen("__", ".", 1);
        let origin = Origin::Environment { variable: variable.clone() };
        // Without a section it may be meant for the command line, or for another program.
        if Config::key(&path).is_none() && !path.contains('.') {
            match meant_variable(name) {
                None => continue,
                Some(meant) => {
                    let variable = variable.clone();
                    return Err(ConfigError::UnknownVariable { variable, meant });
                }
            }
        }
        settings.push(given_text(&path, text, origin)?);
    }
    Ok(settings)
}

fn flag_settings(overrides: &[String]) -> Result<Vec<Given>, ConfigError> {
    let parse = |text: &String| {
        let (key, value) = text
            .split_once('=')
            .ok_or_else(|| ConfigError::NotAnOverride { text: text.clone() })?;
        given_text(key.trim(), value, Origin::Flag)
    };
    overrides.iter().map(parse).collect()
}

/// A path in the environment or in a flag is meant from where the program starts; it is shown
/// whole, so that the text shown means the same anywhere.
fn given_text(path: &str, text: &str, origin: Origin) -> Result<Given, ConfigError> {
    let (kind, is_secret) =
        Config::key(path).map_or((Kind::Text, false), |key| (key.kind, key.secret));
    let bad = |problem: String| ConfigError::BadValue {
        origin: origin.clone(),
        key: path.to_owned(),
        problem,
    };
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return Err(bad("it is not UTF-8".to_owned()));
    }
    let value = kind.parse_text(text, is_secret).map_err(bad)?;
    let mut given = given(path, value, origin)?;
    given.resolve_path(&std::env::current_dir().unwrap_or_default())?;
    Ok(given)
}

fn given(path: &str, value: Value, origin: Origin) -> Result<Given, ConfigError> {
    match Config::key(path) {
        Some(key) => Ok(Given { key, value, origin }),
        None => {
            let suggestion = nearest_key(path);
            Err(ConfigError::UnknownKey { origin, key: path.to_owned(), suggestion })
        }
    }
}

impl Given {
    /// A relative path is meant from `base`: in a file, from where the file is.
    fn resolve_path(&mut self, base: &Path) -> Result<(), ConfigError> {
        if self.key.kind == Kind::Path
            && let Value::String(text) = &mut self.value
            && !text.is_empty()
        {
            let path = expand_home(text).map_err(|problem| ConfigError::BadValue {
                origin: self.origin.clone(),
                key: self.key.path(),
                problem,
            })?;
            *text = base.join(path).display().to_string();
        }
        Ok(())
    }
}

/// Replaces a leading `~` as a shell would have done: quotes and files keep shells from it.
///
/// # Errors
/// Fails if there is no home directory, or it is another user's.
pub fn expand_home(path: &str) -> Result<PathBuf, String> {
    let Some(rest) = path.strip_prefix('~') else { return Ok(path.into()) };
    match (rest.strip_prefix('/'), home_dir()) {
        (Some(below), Some(home)) => Ok(home.join(below)),
        (None, Some(home)) if rest.is_empty() => Ok(home),
        (None, _) if !rest.is_empty() => {
            Err(format!("{path} begins with `~`: write the whole path, or ./{path}"))
        }
        _ => Err(format!("{path} begins with `~`, but there is no home directory")),
    }
}

/// Reads the whole of a text file.
pub(super) fn read_file(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_CONFIG_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_CONFIG_FILE_BYTES {
        return Err(ConfigError::TooLong { path: path.to_owned() });
    }
    decode(bytes).map_err(|encoding| ConfigError::Encoding { path: path.to_owned(), encoding })
}

/// Returns the value without the places where it stood.
fn plain_value(value: DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.into_owned()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Value::String(number.to_string()), Value::Integer),
        DeValue::Float(number) => {
            number.as_str().parse().map_or_else(|_| Value::String(number.to_string()), Value::Float)
        }
        DeValue::Boolean(truth) => Value::Boolean(truth),
        DeValue::Datetime(time) => Value::Datetime(time),
        DeValue::Array(items) => {
            Value::Array(items.into_iter().map(|item| plain_value(item.into_inner())).collect())
        }
        DeValue::Table(table) => Value::Table(
            table
                .into_iter()
                .map(|(key, value)| {
                    (key.into_inner().into_owned(), plain_value(value.into_inner()))
                })
                .collect(),
        ),
    }
}

/// Returns the key most like `path`, if it could be a slip of the hand.
fn nearest_key(path: &str) -> Option<String> {
    let candidates = Config::keys().map(KeyInfo::path);
    let with_distance = candidates.map(|key| (edit_distance(&key, path), key));
    let best = with_distance.min()?;
    // The right name in the wrong section, or none, is the commonest slip.
    let name = path.rsplit('.').next().unwrap_or(path);
    let elsewhere = Config::keys().find(|key| key.name == name).map(KeyInfo::path);
    elsewhere.or_else(|| (best.0 <= 1 + path.len() / 5).then_some(best.1))
}

/// Returns the variable that was meant by `STEWARD_` and `name`, which has no section: one with
/// other underscores, without its section, or with a slip of the hand.
fn meant_variable(name: &str) -> Option<String> {
    let plain = |name: &str| name.replace('_', "").to_lowercase();
    let given = plain(name);
    let slips = if given.len() < SHORT_NAME { 0 } else { 2 };
    let of_section = Config::keys().find(|key| {
        edit_distance(&plain(key.variable().trim_start_matches("STEWARD_")), &given) <= slips
    });
    // A name of one word may be another program's.
    let without_section = || {
        let is_telling = |key: &&KeyInfo| key.name.contains('_') || key.secret;
        Config::keys().filter(is_telling).find(|key| plain(key.name) == given)
    };
    of_section.or_else(without_section).map(KeyInfo::variable)
}

/// The length below which names are no slips of the hand for each other, in letters.
const SHORT_NAME: usize = 7;

/// Computes Levenshtein's distance.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (above, to) in row.iter().skip(1).zip(&b) {
            let replaced = diagonal + usize::from(from != *to);
            left = replaced.min(left + 1).min(above + 1);
            next.push(left);
            diagonal = *above;
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
