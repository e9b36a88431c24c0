//! The Patchward server: a courier between manufacturers, hospitals and devices.

pub mod db;
