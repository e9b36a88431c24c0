//! The console in a real browser: what people see and do, with real programs behind it.
//!
//! A step of its own (`cargo xtask browser`), because it needs Chromium. Not here: what needs no
//! browser (`server/src/console`).

#[cfg(test)]
mod account;
#[cfg(test)]
mod answers;
#[cfg(test)]
mod crawl;
#[cfg(test)]
mod custody;
#[cfg(test)]
mod entering;
#[cfg(test)]
mod house;
#[cfg(test)]
mod judges;
#[cfg(test)]
mod keyboard;
#[cfg(test)]
mod office;
#[cfg(test)]
mod plain;
#[cfg(test)]
mod print;
#[cfg(test)]
mod publishing;
#[cfg(test)]
mod roles;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod screens;
#[cfg(test)]
mod story;
