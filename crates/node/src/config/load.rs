//! Defaults, file, environment and flags joined into one configuration, each key with its origin.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;
use toml::Value;
use toml::de::{DeTable, DeValue};

use super::{CONFIG_FILE, Config, KeyInfo, Kind};
use crate::limits::MAX_CONFIG_FILE_BYTES;

/// Where a value comes from; later ones win.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// The configuration file.
    File {
        /// Its path.
        path: PathBuf,
        /// Line, from 1.
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

/// Where to look for configuration. Not to be shown: values may be secret.
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
    /// This process's environment and these flags.
    pub fn of_process(file: Option<PathBuf>, overrides: Vec<String>) -> Self {
        // Foreign variables may hold anything; ours are text.
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self { file, environment, overrides }
    }
}

/// Why there is no usable configuration.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("configuration file {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
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
        /// Line, from 1.
        line: usize,
        /// What the parser says.
        problem: String,
    },
    /// There is no such key.
    #[error("{origin}: there is no key `{key}`{}", did_you_mean(suggestion))]
    UnknownKey {
        /// Where it was given.
        origin: Origin,
        /// As given.
        key: String,
        /// The key that may have been meant.
        suggestion: Option<String>,
    },
    /// The key exists, the value does not fit it.
    #[error("{origin}: `{key}`: {problem}")]
    BadValue {
        /// Where it was given.
        origin: Origin,
        /// The key.
        key: String,
        /// What was expected and what was found.
        problem: String,
    },
    /// A flag that is not `key=value`.
    #[error("flag --set {text}: expected section.key=value")]
    NotAnOverride {
        /// As given.
        text: String,
    },
    /// Values that do not fit together, or that the node must not run with.
    #[error("{problem}")]
    Unusable {
        /// What is wrong.
        problem: String,
        /// What to do.
        hint: String,
    },
}

impl ConfigError {
    /// What to do about it.
    pub fn hint(&self) -> &str {
        match self {
            Self::Unusable { hint, .. } => hint,
            Self::UnknownKey { .. } => "`steward config` lists every key.",
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
}

/// One line of `steward config`.
#[derive(Clone, Debug)]
pub struct ConfigEntry {
    /// The key.
    pub key: &'static KeyInfo,
    /// Its value in TOML, `***` for a secret, `None` if it is not set.
    pub value: Option<String>,
    /// Where that comes from.
    pub origin: Origin,
}

impl EffectiveConfig {
    /// Joins all sources. Asks no further than the files: see [`Config::check`] for sanity.
    ///
    /// # Errors
    /// [`ConfigError`] naming the place and the key.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let mut settings = environment_settings(&sources.environment)?;
        settings.extend(flag_settings(&sources.overrides)?);
        let mut effective = Self { config: Config::default(), origins: BTreeMap::new() };
        effective.apply(&settings)?;
        let beside_data = effective.config.node.data_dir.join(CONFIG_FILE);
        let in_file = match &sources.file {
            Some(path) => file_settings(path)?,
            None if beside_data.exists() => file_settings(&beside_data)?,
            None => Vec::new(),
        };
        effective.apply(&in_file)?;
        effective.apply(&settings)?;
        Ok(effective)
    }

    /// Every key with value and origin, in the order of the file.
    pub fn entries(&self) -> impl Iterator<Item = ConfigEntry> + '_ {
        Config::keys().map(|key| {
            let value = self.config.get(key).map(|value| match key.secret {
                true => "***".to_owned(),
                false => value.to_string(),
            });
            ConfigEntry { key, value, origin: self.origin(&key.path()) }
        })
    }

    /// Where the value of a key, `section.name`, comes from.
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

/// A commented file that sets every key to its default.
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
            // The home directory is nobody's default but the reader's.
            Some(value) if key.name != "data_dir" => {
                text.push_str(&format!("# {} = {value}\n", key.name));
            }
            _ => text.push_str(&format!("# {} =\n", key.name)),
        }
    }
    text
}

/// A value somebody gave.
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
    settings.iter_mut().for_each(|given| given.resolve_path(base));
    Ok(settings)
}

fn environment_settings(environment: &[(String, String)]) -> Result<Vec<Given>, ConfigError> {
    let mut settings = Vec::new();
    for (variable, text) in environment {
        let Some(name) = variable.strip_prefix("STEWARD_") else { continue };
        let path = name.to_lowercase().replacen("__", ".", 1);
        let origin = Origin::Environment { variable: variable.clone() };
        // Without a section it may be meant for the command line rather than for the node.
        if Config::key(&path).is_none() && !path.contains('.') {
            continue;
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
        given_text(key.trim(), value.trim(), Origin::Flag)
    };
    overrides.iter().map(parse).collect()
}

/// A path in the environment or in a flag is meant from where the program starts; it is shown
/// whole, so that what is shown means the same anywhere.
fn given_text(path: &str, text: &str, origin: Origin) -> Result<Given, ConfigError> {
    let kind = Config::key(path).map_or(Kind::Text, |key| key.kind);
    let mut given = given(path, kind.parse_text(text), origin)?;
    given.resolve_path(&std::env::current_dir().unwrap_or_default());
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
    fn resolve_path(&mut self, base: &Path) {
        if self.key.kind == Kind::Path
            && let Value::String(text) = &mut self.value
            && !text.is_empty()
        {
            *text = base.join(&*text).display().to_string();
        }
    }
}

fn read_file(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    let mut text = String::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_CONFIG_FILE_BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > MAX_CONFIG_FILE_BYTES {
        return Err(ConfigError::TooLong { path: path.to_owned() });
    }
    Ok(text)
}

/// Without the places where it stood.
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

/// The key most like `path`, if it could be a slip of the hand.
fn nearest_key(path: &str) -> Option<String> {
    let candidates = Config::keys().map(KeyInfo::path);
    let with_distance = candidates.map(|key| (edit_distance(&key, path), key));
    let best = with_distance.min()?;
    // The right name in the wrong section, or none, is the commonest slip.
    let name = path.rsplit('.').next().unwrap_or(path);
    let elsewhere = Config::keys().find(|key| key.name == name).map(KeyInfo::path);
    elsewhere.or_else(|| (best.0 <= 1 + path.len() / 5).then_some(best.1))
}

/// Levenshtein's distance.
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
