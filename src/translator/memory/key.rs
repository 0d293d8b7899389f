//! What a sentence's translation depends on.

use sha2::{Digest, Sha256};

use crate::engine::Priority;
use crate::options::TranslateOptions;
use crate::review::Flags;

/// The SHA-256 of all that a sentence's translation depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::translator) struct Key(pub(super) [u8; 32]);

impl Key {
    /// The key of a sentence whose normalised forms are `texts` and which has got the flags `given` beforehand, for the
    /// model of this identity.
    pub(in crate::translator) fn new(
        model: &[u8; 32],
        options: &TranslateOptions,
        texts: [&str; 2],
        given: Flags,
    ) -> Self {
        // What is returned beside the translation, when it comes, and which texts are refused, doesn't change it.
        let options = TranslateOptions {
            model: None,
            return_source: false,
            require_persian: false,
            no_cache: false,
            priority: Priority::default(),
            ..options.clone()
        };
        let mut hash = Sha256::new();
        hash.update(model);
        let parts = [env!("CARGO_PKG_VERSION"), &format!("{options:?} {given:?}"), texts[0], texts[1]];
        for part in parts {
            // With its length, a part can't be taken for another's end.
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}
