//! Who is asking, proven: API tokens, device tokens, the one-time claim, statements of devices.
//!
//! A handler never sees a request; it receives a proof value that only this module makes, of the
//! kind that its endpoint's marker names. Not here: what may be installed (no token says that; it
//! takes two signatures).
//! Invariant: what is secret is kept as a digest or a MAC and compared in constant time.

pub mod api_token;
pub mod bearer;
pub mod caller;
pub mod covers;
pub mod device_token;
pub mod issue;
pub mod place_token;
pub mod reader;
