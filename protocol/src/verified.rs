//! Proof in a type: bytes from outside that a signature has been checked over.
//!
//! Only the trusted set ([`crate::tuf`]) and an envelope's check ([`crate::envelope`]) make a
//! [`Verified`]. It has no `Deserialize` and no `Default`: after a restart everything is verified
//! again from the stored bytes. Not here: deciding what a verified statement permits.

use std::ops::Deref;

/// A value that came out of a verification, and cannot be made any other way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// For the modules of this crate that verify.
    pub(crate) const fn new(value: T) -> Self {
        Self(value)
    }

    /// Takes the value out; the proof ends here.
    pub fn into_inner(self) -> T {
        self.0
    }

    /// Reads something else out of the same verified bytes.
    ///
    /// # Errors
    /// Whatever `read` returns.
    pub(crate) fn try_map<U, E>(
        self,
        read: impl FnOnce(T) -> Result<U, E>,
    ) -> Result<Verified<U>, E> {
        read(self.0).map(Verified)
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
