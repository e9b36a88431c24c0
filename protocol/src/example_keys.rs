//! The public keys of `keys-example/`: their secrets stand in the repository, so nobody may use them.
//!
//! Server, agent and command line refuse them unless an option named demo or insecure says otherwise.
//! Invariant: the list holds every key of the folder (a test of the command line compares them).

use crate::key::PublicKey;

/// The keys, as 64 lower-case hexadecimal digits.
pub const EXAMPLE_KEYS: &[&str] = &[];

/// Whether a key is one of the example keys.
#[must_use]
pub fn is_example(key: &PublicKey) -> bool {
    let text = key.to_string();
    EXAMPLE_KEYS.contains(&text.as_str())
}
