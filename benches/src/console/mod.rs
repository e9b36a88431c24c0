//! How long pages of the console take: [`country`] makes a manufacturer with many hospitals, [`pages`]
//! says what is opened, [`timing`] measures.
//!
//! Not here: what browsers do with a page. Invariant: no figure decides a test.

pub mod country;
pub mod machine;
pub mod pages;
pub mod timing;
