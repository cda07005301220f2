//! The command line.

use std::{ffi::OsString, fmt, str::FromStr};

/// What `--help` prints.
pub const USAGE: &str = "\
Sign in with Logto from a server-rendered application.

Usage: cargo run -p quickstart [-- OPTIONS]

Options:
  --check              use every capability without a browser, print a line for each, and end;
                       with LOGTO_ENDPOINT, check there what needs no person
  --storage memory|cookie|redis|postgres|sqlite
                       where sessions live [default: memory; --check tries all that need
                       no server]; the last three have to be built in, for example
                       cargo run -p quickstart --features redis -- --storage redis
  --help               print this

Environment:
  PORT                 port of the application on this machine [default: 3000]
  LOGTO_ENDPOINT       endpoint of a real Logto, together with
  LOGTO_APP_ID         the id and
  LOGTO_APP_SECRET     the secret of a traditional web application
  LOGTO_M2M_APP_ID, LOGTO_M2M_APP_SECRET
                       a machine-to-machine application there, to show its tokens
  LOGTO_DEVICE_APP_ID  a native application for the device flow there, to show it
  LOGTO_BASE_URL       where browsers find this application [default: http://localhost:PORT]
  LOGTO_RESOURCES      API resources to ask for, separated by spaces or commas
  LOGTO_SCOPES         scopes to ask for, separated by spaces or commas
  LOGTO_COOKIE_KEY     what cookies are sealed with, from `openssl rand -base64 32`
  LOGTO_SESSION_URL    where the store is: redis://, postgres:// or sqlite: and a path
                       [default: a server on this machine, or a temporary file]";

/// The parsed command line.
#[derive(Debug)]
pub struct Args {
    /// What to do.
    pub command: Command,
    /// Where sessions live, if that was said.
    pub storage: Option<StorageKind>,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Serve the application.
    Serve,
    /// Check the application and end.
    Check,
    /// Print the usage and end.
    Help,
}

/// Where sessions live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StorageKind {
    /// In this process; the browser carries a random id.
    #[default]
    Memory,
    /// In the browser, sealed.
    Cookie,
    /// In Redis or Valkey.
    Redis,
    /// In a PostgreSQL database.
    Postgres,
    /// In an SQLite file.
    Sqlite,
}

impl StorageKind {
    /// All of them, in the order of the usage.
    pub const ALL: [Self; 5] = [
        Self::Memory,
        Self::Cookie,
        Self::Redis,
        Self::Postgres,
        Self::Sqlite,
    ];

    /// Those that work without a server, as this program was built.
    pub const SELF_CONTAINED: &[Self] = &[
        Self::Memory,
        Self::Cookie,
        #[cfg(feature = "sqlite")]
        Self::Sqlite,
    ];

    /// The word on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cookie => "cookie",
            Self::Redis => "redis",
            Self::Postgres => "postgres",
            Self::Sqlite => "sqlite",
        }
    }
}

impl Args {
    /// Reads the arguments behind the program's name.
    ///
    /// # Errors
    /// The first argument that means nothing here.
    pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Self, lexopt::Error> {
        use lexopt::{Arg::Long, ValueExt as _};

        let mut parsed = Self {
            command: Command::Serve,
            storage: None,
        };
        let mut parser = lexopt::Parser::from_args(args);
        while let Some(arg) = parser.next()? {
            match arg {
                Long("check") => parsed.command = Command::Check,
                Long("help") => parsed.command = Command::Help,
                Long("storage") => parsed.storage = Some(parser.value()?.parse()?),
                other => return Err(other.unexpected()),
            }
        }
        Ok(parsed)
    }
}

impl fmt::Display for StorageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for StorageKind {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|kind| kind.as_str() == word);
        known.ok_or_else(|| {
            format!(
                "the storage is one of {}",
                Self::ALL.map(Self::as_str).join(", ")
            )
        })
    }
}
