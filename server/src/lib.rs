//! The Patchward server: a courier between manufacturers, hospitals and devices.
//!
//! It stores and serves what others have signed, signs freshness (snapshot, timestamp, time answers,
//! receipts), and can install nothing. Invariant: nothing that it says starts an update by itself.

pub mod app;
pub mod auth;
pub mod blobs;
pub mod cli;
pub mod clock;
pub mod config;
pub mod consent;
pub mod console;
pub mod db;
pub mod delta;
pub mod durable;
pub mod error;
pub mod fleet;
pub mod http;
pub mod keys;
pub mod lifecycle;
pub mod limits;
pub mod logging;
pub mod notify;
pub mod openapi;
pub mod people;
pub mod publish;
pub mod record;
pub mod rollout;
pub mod serve;
pub mod setup;
pub mod tls;
pub mod views;
pub mod worker;
