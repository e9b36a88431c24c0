//! Hostile containers: what a reader of foreign bytes must survive.
//!
//! A round takes a container of the pool, damages it in one of four ways (`mutate`), most of them
//! with sums and digests put right again so that the damage gets past them, and reads it whole
//! (`target`). What ends in a way not seen before joins the pool. Chance is a number that one
//! gives: the same seed plays the same rounds, on a stable compiler and without instruments.
//! Not here: a limit on memory for the whole process; `main` and the test set it.
//! Invariant: a container is refused or gives the image that its header names.

mod chance;
mod mutate;
mod payload;
mod pool;
mod round;
mod target;

pub use pool::Pool;
pub use round::{Tally, play};
pub use target::{Outcome, read};
