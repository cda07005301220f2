//! Small data of the application in a session.

use std::any::type_name;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{error::UsageError, secret::Secret};

/// Small data that the application keeps in a session, as JSON: the user's id in its own database, for example.
///
/// It is set when the user signs in, and every request reads it without asking a database. It belongs to
/// one sign-in: the next one starts without it.
///
/// `Debug` prints no part of it. Serialization writes it in clear, as it does with the tokens of the session.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionData(Secret);

impl SessionData {
    /// The longest JSON in bytes. With sessions in cookies, every request carries it.
    pub const MAX_LEN: usize = 1_024;

    /// Writes `data` as JSON.
    ///
    /// # Errors
    /// [`UsageError::SessionDataTooLarge`] beyond [`MAX_LEN`](Self::MAX_LEN).
    /// [`UsageError::SessionDataInvalid`] for a value without a JSON form, such as a map whose keys are not
    /// text, and for a value that is nested too deeply to be read again.
    pub fn new<T: Serialize + ?Sized>(data: &T) -> Result<Self, UsageError> {
        // The text of a JSON error may quote the data.
        let invalid = |_| UsageError::SessionDataInvalid(type_name::<T>());
        let json = Secret::from(serde_json::to_string(data).map_err(invalid)?);
        let size = json.expose().len();
        if size > Self::MAX_LEN {
            return Err(UsageError::SessionDataTooLarge {
                size,
                limit: Self::MAX_LEN,
            });
        }
        // Reading limits the depth, writing does not: a refused value is better than a session that fails
        // later.
        serde_json::from_str::<Value>(json.expose()).map_err(invalid)?;
        Ok(Self(json))
    }

    /// Data from [`as_json`](Self::as_json) that a storage has kept. It is parsed on demand.
    pub fn from_stored(json: impl Into<Secret>) -> Self {
        Self(json.into())
    }

    /// Reads the data. JSON `null` counts as no data.
    ///
    /// # Errors
    /// [`UsageError::SessionDataUnreadable`] if it is not a `T`: an earlier version of the application may have
    /// set it.
    pub fn read<T: DeserializeOwned>(&self) -> Result<Option<T>, UsageError> {
        let unreadable = |_| UsageError::SessionDataUnreadable(type_name::<T>());
        serde_json::from_str(self.as_json()).map_err(unreadable)
    }

    /// The JSON in clear.
    pub fn as_json(&self) -> &str {
        self.0.expose()
    }
}
