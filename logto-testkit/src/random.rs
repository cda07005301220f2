//! Unguessable values in the shapes that Logto gives them.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::{Rng as _, RngCore as _, SeedableRng as _, distributions::Alphanumeric, rngs::StdRng};

/// The letters of a user code: no vowels, nothing that looks like something else.
const USER_CODE_LETTERS: [char; 20] = [
    'B', 'C', 'D', 'F', 'G', 'H', 'J', 'K', 'L', 'M', 'N', 'P', 'Q', 'R', 'S', 'T', 'V', 'W', 'X',
    'Z',
];

pub(crate) struct Random(StdRng);

impl Random {
    pub(crate) fn from_system() -> Self {
        Self(StdRng::from_entropy())
    }

    /// 43 characters: a code, an opaque token, a `jti`, a session id.
    pub(crate) fn token(&mut self) -> String {
        let mut bytes = [0; 32];
        self.0.fill_bytes(&mut bytes);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Letters and digits, as in an id.
    pub(crate) fn letters(&mut self, count: usize) -> String {
        (&mut self.0)
            .sample_iter(Alphanumeric)
            .take(count)
            .map(char::from)
            .collect()
    }

    /// A user code of the device flow, such as `TFTB-LPCC`.
    pub(crate) fn user_code(&mut self) -> String {
        let mut letters = || -> String {
            (0..4)
                .filter_map(|_| {
                    let index = self.0.gen_range(0..USER_CODE_LETTERS.len());
                    USER_CODE_LETTERS.get(index)
                })
                .collect()
        };
        format!("{}-{}", letters(), letters())
    }
}
