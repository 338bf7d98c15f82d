//! The token: 32 random bytes, in a file that only the node's user can read, asked for with every
//! request. There are no users and no roles: the token gives full control of the node.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use steward_engine::Code;

use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hex::DisplayHex;
use thiserror::Error;

use crate::connections::Known;
use crate::error::ApiError;
use crate::limits::TOKEN_BYTES;

/// The token's file in the data directory.
pub const TOKEN_FILE: &str = "api-token";

/// Hexadecimal digits of a token.
const TOKEN_CHARS: usize = 2 * TOKEN_BYTES;

/// The token, which opens the API.
#[derive(Clone)]
pub struct Token(String);

/// The reasons why there is no token.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("{} does not hold {TOKEN_CHARS} hexadecimal digits", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// Others can read the file.
    #[error("{} can be read by other users (mode {mode:o})", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The operating system gives no random bytes.
    #[error("the operating system gives no random bytes: {0}")]
    Random(getrandom::Error),
}

impl TokenError {
    /// A hint what to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "`steward start` makes the token when it first runs in this data directory"
            }
            Self::Io { .. } => "run as the user who runs the node",
            Self::Malformed { .. } => "delete the file: the next start makes a new one",
            Self::Exposed { .. } => {
                "delete the file, since anyone who has read it controls the node: the next start makes a new one"
            }
            Self::Random(_) => "check the system's sandbox",
        }
    }
}

impl Token {
    /// Reads the token of a data directory, and makes one if there is none yet.
    ///
    /// # Errors
    /// [`TokenError`], above all if others can read the file.
    pub fn load_or_create(data_dir: &Path) -> Result<Self, TokenError> {
        let path = data_dir.join(TOKEN_FILE);
        match Self::create(&path) {
            Err(TokenError::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {
                Self::load(data_dir)
            }
            created => created,
        }
    }

    /// Reads the token of a data directory.
    ///
    /// # Errors
    /// [`TokenError`], above all if there is none yet, or others can read it.
    pub fn load(data_dir: &Path) -> Result<Self, TokenError> {
        let path = data_dir.join(TOKEN_FILE);
        let io = |source| TokenError::Io { path: path.clone(), source };
        let file = File::open(&path).map_err(io)?;
        let mode = file.metadata().map_err(io)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(TokenError::Exposed { path, mode });
        }
        let mut text = String::new();
        // One more than a token and a line's end: enough to see that it is none.
        file.take(TOKEN_CHARS as u64 + 3).read_to_string(&mut text).map_err(io)?;
        let token = text.trim();
        let is_token = token.len() == TOKEN_CHARS && token.bytes().all(|c| c.is_ascii_hexdigit());
        is_token.then(|| Self(token.to_owned())).ok_or(TokenError::Malformed { path })
    }

    fn create(path: &Path) -> Result<Self, TokenError> {
        let mut bytes = [0; TOKEN_BYTES];
        getrandom::fill(&mut bytes).map_err(TokenError::Random)?;
        let token = Self(bytes.to_lower_hex_string());
        let write = || {
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            writeln!(file, "{}", token.0)?;
            file.sync_all()
        };
        write().map_err(|source| TokenError::Io { path: path.to_owned(), source })?;
        Ok(token)
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Tells whether `given` is this token, in a time that says nothing about the digits.
    fn matches(&self, given: &str) -> bool {
        let (ours, theirs) = (self.0.as_bytes(), given.as_bytes());
        if ours.len() != theirs.len() {
            return false;
        }
        let pairs = ours.iter().zip(theirs);
        let difference = pairs.fold(0, |sum, (a, b)| std::hint::black_box(sum | (a ^ b)));
        std::hint::black_box(difference) == 0
    }
}

/// Lets only requests with the token pass.
pub(crate) async fn require_token(
    State(token): State<Token>,
    request: Request,
    next: Next,
) -> Response {
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    if given.is_some_and(|given| token.matches(given)) {
        if let Some(known) = request.extensions().get::<Known>() {
            known.set();
        }
        return next.run(request).await;
    }
    let message = match given {
        Some(_) => "the token is wrong",
        None => "the request has no token",
    };
    let error = ApiError::of(Code::Unauthorized, message);
    ([(header::WWW_AUTHENTICATE, "Bearer")], error).into_response()
}
