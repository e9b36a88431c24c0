//! The harness of the whole-system tests and of the demonstration: real programs, driven from outside.
//!
//! For: building and starting server, agents and command line; playing manufacturer, hospital and
//! attacker. Not for: anything a program of Patchward does itself; the harness has its own, plain
//! way of writing metadata, so that a fault in the publisher does not hide one in the client.
//! Invariant: everything is on loopback and in temporary folders, and ends with its owner.

pub mod bedside;
pub mod bin;
pub mod browser;
pub mod chance;
pub mod clock;
pub mod container;
pub mod deltas;
pub mod desk;
pub mod device;
pub mod fault;
pub mod forge;
pub mod forged;
pub mod hospital;
pub mod hostile;
pub mod http;
pub mod image;
pub mod installed;
pub mod ledger;
pub mod letterbox;
pub mod maker;
pub mod memory;
pub mod owner;
pub mod person;
pub mod plan;
pub mod running;
pub mod scene;
pub mod server;
pub mod turned_clock;
pub mod unpack;
pub mod visitor;
pub mod wave;
pub mod wire;
pub mod world;
