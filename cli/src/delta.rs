//! `delta …`: containers and deltas for people and for automatic builds.
//!
//! A full container carries an image; a delta makes one image of another. The server builds the deltas
//! that devices take by itself; here a delta is tried, looked into and checked by hand, with the same
//! code. Not here: signing. A delta needs no signature of a person, because what comes out is compared
//! with what people signed.
//! Invariant: what is written under a name is complete, or is not there.

mod apply;
mod build;
pub mod failure;
pub(crate) mod image;
mod inspect;
mod status;

use crate::error::Outcome;
use crate::here::Here;
use crate::said::Said;
use clap::Subcommand;

/// `delta …`
#[derive(Debug, Subcommand)]
pub enum DeltaVerb {
    /// Make a delta between two images, folders or full containers
    Build(build::Build),
    /// Show what a container says of itself: digests, windows, kinds, memory
    Inspect(inspect::Inspect),
    /// Make the new image from a container and the old image
    Apply(apply::Apply),
    /// Unpack a container to nowhere: does it give the image?
    Verify(apply::Verify),
    /// What the server built, what not and why, and what devices saved
    Status(status::Status),
}

/// Runs a verb.
///
/// # Errors
/// Whatever the verb fails with.
pub fn run(here: &Here, verb: &DeltaVerb) -> Outcome<Said> {
    match verb {
        DeltaVerb::Build(build) => build::build(here, build),
        DeltaVerb::Inspect(inspect) => inspect::inspect(here, inspect),
        DeltaVerb::Apply(apply) => apply::apply(here, apply),
        DeltaVerb::Verify(verify) => apply::verify(here, verify),
        DeltaVerb::Status(status) => status::status(here, status),
    }
}
