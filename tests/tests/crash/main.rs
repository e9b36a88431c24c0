//! Power cuts: the agent and the server are killed at any instant, and everything still adds up.
//!
//! `PATCHWARD_QUICK=1` lowers the rounds. Not here: power cuts below the file system.

#[cfg(test)]
mod agent;
#[cfg(test)]
mod campaign;
#[cfg(test)]
mod reports;
#[cfg(test)]
mod rollback;
#[cfg(test)]
mod staging;
#[cfg(test)]
mod sweep;
