//! A site's next approvals, kept on the server while people plan and sign them in the console.
//!
//! One open draft for each site. It is made by the protocol's planner, judged by its checker, signed by
//! people's keys in whichever way the site's root allows, and published through the same transaction as
//! what the command line publishes. Not here: pages, HTTP; deciding what an approval may say.
//! Invariant: the server signs nothing here but with a custodial key that its person has just opened;
//! any change of what is signed drops every signature.

pub mod acts;
pub mod carry;
pub mod custodial;
pub mod facts;
pub mod finish;
pub mod kept;
pub mod make;
pub mod ready;
pub mod sign;
pub mod status;

pub use kept::{Draft, Prepared, Wanted};
