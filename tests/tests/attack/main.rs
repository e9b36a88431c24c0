//! The attacks of docs/THREATS.md, each played against the real agent and the real server over HTTP.
//!
//! Every test has its attack's number. Each asserts that the device runs what it ran, that its
//! signed ledger says what was refused and why, and, where it makes sense, that the honest update
//! still comes through when the attack is over. Not here: 25 (bundles), which comes with what it
//! attacks; it is here where approvals are concerned.

#[cfg(test)]
mod cache;
#[cfg(test)]
mod carried;
#[cfg(test)]
mod deltas;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod enrolment;
#[cfg(test)]
mod flood;
#[cfg(test)]
mod freeze;
#[cfg(test)]
mod lying_server;
#[cfg(test)]
mod mixed;
#[cfg(test)]
mod names;
#[cfg(test)]
mod payload;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod replicas;
#[cfg(test)]
mod rollback;
#[cfg(test)]
mod signatures;
#[cfg(test)]
mod signer;
#[cfg(test)]
mod split_view;
#[cfg(test)]
mod stolen_offline;
#[cfg(test)]
mod stolen_online;
#[cfg(test)]
mod waves;
