//! The public keys of `keys-example/`: their secrets stand in the repository, so nobody may use them.
//!
//! Server, agent and command line refuse them unless an option named demo or insecure says otherwise.
//! Invariant: the list holds every key of the folder (a test of the command line compares them).

use crate::key::PublicKey;

/// The keys, as 64 lower-case hexadecimal digits.
pub const EXAMPLE_KEYS: &[&str] = &[
    // family-root-a
    "0caadbfe29bcb87d6928ead275f0aacf13956dda484f1b9ceb3854b24fd2c3a4",
    // family-root-b
    "6b2c33567a284dc922d5188db46431c2104e06d24b858a11877b5dd06c15545c",
    // family-root-c
    "283838bee040ba9351c913251a3809d404b6b9c2a24d26d281b26bea638c8cff",
    // family-targets-a
    "55d37da65b2ddb311275e081db67c3abf856a7ddaf1d39fff9dd4001752520f6",
    // family-targets-b
    "813e88ee225a781e59abff1de47183401f30beacf2487a73730fac8424e00fe3",
    // family-targets-c
    "63f28fa747a477943a717e2deeef25ab0bf893248d1a514ae356df35633018d1",
    // site-root-a
    "da416983c7ca48d8742f85d6140b605ee659aca2e9f2238efe26b0ee2fa421a4",
    // site-root-b
    "c6daae3ecac6a5abe944a4eb657f05f44063cb791881bd3f0781583083441688",
    // site-root-c
    "dfa5455d4e5bbe664db13ccaa76bad98f973f1eb8c8175eafc95546d10eaf6ba",
    // site-targets-a
    "f8cad6b453894c7c050c6b58a56f9f88970d5f16a7d961bfe4333f1782d7d5c3",
    // site-targets-b
    "1cab935ac0acbd6e03f47af4421630566e2632eed89ebda7798e35fc5f213468",
    // site-targets-c
    "19069f2c54a906ca6817e6a1b04f4d80d49d73ca00fc76a7cc32fe971ebc2160",
];

/// Whether a key is one of the example keys.
#[must_use]
pub fn is_example(key: &PublicKey) -> bool {
    let text = key.to_string();
    EXAMPLE_KEYS.contains(&text.as_str())
}
