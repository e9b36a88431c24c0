//! The command line of Patchward: keys, repositories, releases, approvals.
//!
//! What is signed is signed here, on the signer's own machine, from files that are hashed here; a
//! server only carries it. A release goes [`release`] → [`stage`]; an approval [`approve`] →
//! [`stage`]; both rest on [`repository`], which trusts nothing that the TUF workflow has not
//! verified. Links neither the server's nor the database's crates.
//! Not here: decisions about devices (the protocol), and running anything.

pub mod act;
pub mod approval_text;
pub mod approvals;
pub mod approve;
pub mod args;
pub mod base;
pub mod campaign;
pub mod carried;
pub mod container;
pub mod day;
pub mod delegation;
pub mod delta;
pub mod devices;
pub mod disk;
pub mod draft;
pub mod error;
pub mod folder;
pub mod here;
pub mod hold;
pub mod image;
pub mod inventory;
pub mod key;
pub mod key_file;
pub mod limits;
pub mod lint;
pub mod login;
pub mod memory;
pub mod pack;
pub mod passphrase;
pub mod plan;
pub mod progress;
pub mod public_file;
pub mod record;
pub mod release;
pub mod repo;
pub mod repository;
pub mod rollback;
pub mod rollout;
pub mod rotate;
pub mod rules;
pub mod said;
pub mod second_look;
pub mod server;
pub mod show;
pub mod sign;
pub mod stage;
pub mod standing;
pub mod ward_rules;
pub mod why;
