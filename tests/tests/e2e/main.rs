//! The whole story end to end: real programs, every signature by the command line, every byte compared.

mod bad_input;
mod big;
mod reference;
mod resume;
mod story;
